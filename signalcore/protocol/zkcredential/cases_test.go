//go:build !soak

package zkcredential_test

// officialCases is how many random credentials of each kind and mode are checked against the official library.
const officialCases = 20
