// Package groups is the sandbox's group server: groups with their revisions, the rules of who may change what, the log
// of signed changes, and the endorsements for its members.
//
// What it sees is encrypted: members are ciphertexts, and who calls presents a zero-knowledge credential. The rules
// (rules.go, change.go, actions.go) are functions of a state, the caller and the actions; service.go keeps the states.
//
// Sources: signalapp/storage-service controllers/GroupsController, groups/GroupAuth, groups/GroupValidator and
// groups/GroupChangeApplicator. Labels and the end of a group are newer than that repository: their rules are those that
// the apps assume (comments of Groups.proto).
package groups
