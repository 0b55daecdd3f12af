// Package service is the wire between one account and the Signal service: connections, REST and gRPC calls, the
// incoming queue, provisioning, the storage service and, in cdn, attachments.
//
// A Network knows where the service is. Its Dial opens a Link, one HTTP/2 connection (HTTP/1.1 where the service has
// nothing better), on which sockets are opened: Authenticated for the account's own device, Anonymous for what must not
// name the sender. Each socket multiplexes REST requests in both directions over a websocket (RFC 8441, RFC 6455) and
// shares the link with gRPC calls. Nothing here reconnects by itself: a Conn is one connection, and whoever opened it
// decides what follows its end, with Backoff if it likes.
//
// What the statuses of the service mean is decided here once, and said by typed errors. Account state, encryption and
// the store are elsewhere.
//
// Sources: libsignal rust/net/src/chat and rust/net/chat (sockets, timeouts, which call goes which way), Signal-Server
// controllers and entities (paths, bodies, statuses), mautrix/signal pkg/signalmeow/web.
package service
