//go:build !soak

package zkgroup

// interopCases is how many random cases each live test has, in each direction; of what is changed by a bit, one byte of
// flipStride is.
const (
	interopCases = 50
	flipStride   = 7
)
