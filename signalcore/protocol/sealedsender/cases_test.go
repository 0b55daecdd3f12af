//go:build !soak

package sealedsender

// interopCases is how many random messages go each way between our code and the official library.
const interopCases = 200
