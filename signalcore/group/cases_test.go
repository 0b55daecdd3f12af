//go:build !soak

package group

// stepsOfALife is how many things people try in each of the groups of TestRandomLives.
const stepsOfALife = 150
