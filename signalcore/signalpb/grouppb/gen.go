// Package grouppb holds the decrypted state of a group, as package group writes it into the store's group records.
//
// These messages are ours, not the service's, whose encrypted groups are in package servicepb. A field once released
// keeps its number and meaning.
package grouppb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/grouppb/*.proto"
