//go:build soak

package group

// For the long version: go test -tags soak ./signalcore/group
const stepsOfALife = 2000
