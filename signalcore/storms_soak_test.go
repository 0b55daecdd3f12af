//go:build soak

package signalcore

// storms is for the long version: go test -tags soak -run SurviveCrashes ./signalcore
const storms = 20
