// Package servicepb holds the service's own messages: the envelope and the websocket frames, the Content tree that
// travels encrypted between devices, provisioning, device names, the contact stream, the storage service and groups.
//
// The .proto files beside this one give field numbers and types as Signal's apps use them: Signal-Desktop protos/,
// mautrix/signal pkg/signalmeow/protobuf. Everything is proto2, as there: fields have presence, a value that an enum
// does not know stays among the unknown fields, and text is not checked for valid UTF-8, so that a careless writer
// cannot make a whole message unreadable. The protocol library's own messages are elsewhere.
package servicepb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/servicepb/*.proto"
