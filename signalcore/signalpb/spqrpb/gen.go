// Package spqrpb holds the stored form of the post-quantum ratchet's state, generated from spqr.proto.
package spqrpb

//go:generate protoc --proto_path=../../.. --go_out=../../.. --go_opt=module=signalbox signalcore/signalpb/spqrpb/spqr.proto
