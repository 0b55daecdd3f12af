//go:build !soak

package signalcore

// storms is how many groups TestGroupsSurviveCrashes has.
const storms = 1
