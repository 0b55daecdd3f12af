// Package wire is how clients reach the sandbox: a TLS listener with a CA of its own, HTTP/2 and HTTP/1.1, websockets
// over both, REST over a websocket or without one, and gRPC. It knows neither accounts nor messages: a Router takes the
// calls, and an Authenticator says whose they are.
//
// Sources: Signal-Server websocket-resources (WebSocketResourceProvider, WebSocketResourceProviderFactory), its
// auth.AccountAuthenticator and mappers; libsignal rust/net for what clients expect.
package wire
