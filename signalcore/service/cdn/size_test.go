//go:build !soak

package cdn_test

// largest is of the files that go to the mock servers and back.
const largest = 32 << 20
