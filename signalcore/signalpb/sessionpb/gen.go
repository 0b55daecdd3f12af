// Package sessionpb holds the protobufs of sessions and sender keys: the messages on the wire (wire.proto) and what is
// kept (session.proto). Versions, MACs and what the fields mean are in packages session, ratchet, senderkey and prekey.
package sessionpb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/sessionpb/wire.proto signalcore/signalpb/sessionpb/session.proto"
