// Package commands is the command set of the socket: one registry, one file per command or family.
//
// It follows sections 3 to 5 of docs/socket-protocol.md: it decodes requests, checks them, asks the Signal client
// (interface Signal), and returns typed replies. Sockets, framing, order and time limits on connections are in
// package tcpserver; the form of received messages in commands/render, that of sent ones in commands/compose.
package commands
