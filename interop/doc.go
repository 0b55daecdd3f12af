// Package interop drives the built signalbox binary against Signal's own mock server, with contacts that the official
// library plays: the tests of this package, and the measurements of bench/.
//
// Mock is the harness of testdata/interop (Node), Daemon the binary, Conn one client of its command socket. Nothing of
// the product imports this package, and it imports nothing of the product: both ends are spoken to from outside.
package interop
