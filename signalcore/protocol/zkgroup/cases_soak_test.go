//go:build soak

package zkgroup

// For the long version: go test -tags soak ./signalcore/protocol/zkgroup
const (
	interopCases = 1000
	flipStride   = 1
)
