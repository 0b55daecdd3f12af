//go:build soak

package cdn_test

// largest is as much as the apps send: go test -tags soak -run Transfers ./signalcore/service/cdn
const largest = 100 << 20
