// Package fingerprintpb holds the protobuf of scannable safety numbers. What it means is in package fingerprint.
package fingerprintpb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/fingerprintpb/fingerprint.proto"
