// Package grpcpb holds the messages of the service's gRPC calls. The framing is in signalcore/service/grpcwire.
package grpcpb

//go:generate protoc --proto_path=../../.. --go_out=../../.. --go_opt=module=signalbox signalcore/signalpb/grpcpb/chat.proto
