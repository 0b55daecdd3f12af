//go:build !soak

package interop

// soak is on with the build tag of that name: `make soak`.
const soak = false
