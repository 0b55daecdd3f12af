// Package messages carries messages between the sandbox's devices: it checks a send as Signal-Server does, keeps what is
// for a device in a queue until that acknowledges it, and sends the service's own delivery receipts.
//
// Who is who comes from package accounts. Nothing here can read a message.
//
// Sources: Signal-Server controllers.MessageController, push.MessageSender, push.ReceiptSender,
// websocket.WebSocketConnection and grpc.MessagesAnonymousGrpcService.
package messages
