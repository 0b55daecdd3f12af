//go:build soak

package sealedsender

// interopCases is for the long version: go test -tags soak ./signalcore/protocol/sealedsender
const interopCases = 2000
