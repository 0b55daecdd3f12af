// Package interop drives the built signalbox binary against Signal's own mock server, and against the sandbox, with contacts
// that the official library plays: the tests of this package, and the measurements of bench/. A scenario is described once;
// on which services it runs is in scope_test.go.
//
// Mock is a service with the harness of testdata/interop (Node) on it, Daemon the binary, Conn one client of its command
// socket. The sandbox runs in this process, and is spoken to over the wire: by the official library's own network client on
// the people's side (Line for such a connection as such). Nothing of the product imports this package,
// and of the product it imports the sandbox alone, with the formats that are spoken there.
package interop
