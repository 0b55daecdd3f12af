//go:build soak

package zkcredential_test

// officialCases is for the long version: go test -tags soak ./signalcore/protocol/zkcredential
const officialCases = 1000
