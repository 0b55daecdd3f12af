// Package storepb holds the records of signalbox's own store: what is kept on disk under each kind of key.
//
// These messages are ours, not the service's. A field once released keeps its number and meaning; a change that old
// records do not fit takes a migration in package store.
package storepb

//go:generate sh -c "cd ../../.. && protoc --proto_path=. --go_out=. --go_opt=module=signalbox signalcore/signalpb/storepb/*.proto"
