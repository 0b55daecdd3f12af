// Package sealedpb holds the protobufs of sealed sender: certificates and the two layers of a sealed message. What
// they mean is in package sealedsender.
package sealedpb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/sealedpb/sealed.proto"
