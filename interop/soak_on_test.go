//go:build soak

package interop

const soak = true
