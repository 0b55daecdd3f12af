// Package statuscodes holds the status codes of the command socket, and maps errors to them: Of is the only switch
// over errors in the program.
//
// The codes and their meanings are those of docs/socket-protocol.md, section 3; -1 to 11 are the original's. Replies
// themselves are in package commands.
package statuscodes

import "strconv"

// Code is a status code. Its numbers are part of the protocol, and never change.
type Code int

// The codes.
const (
	Unknown               Code = -1
	Success               Code = 0
	UnknownCommand        Code = 1
	InvalidNumber         Code = 2
	InvalidAttachment     Code = 3
	InvalidJSON           Code = 4
	InvalidRecipient      Code = 5
	GroupNotFound         Code = 6
	NotAGroupMember       Code = 7
	MessageError          Code = 8
	MissingMessageContent Code = 9
	MessageParsingError   Code = 10
	MissingReaction       Code = 11
	NotLinked             Code = 12
	UnregisteredRecipient Code = 13
	RateLimited           Code = 14
	ChallengeRequired     Code = 15
	UntrustedIdentity     Code = 16
	NetworkError          Code = 17
	InvalidArgument       Code = 18
	Unauthorized          Code = 19
	RequestTooLarge       Code = 20
	NotFound              Code = 21
	PermissionDenied      Code = 22
	ShuttingDown          Code = 23
	StorageError          Code = 24
	TooManyConnections    Code = 25
	Timeout               Code = 26
	first, last           Code = Unknown, Timeout
)

var names = [...]string{
	"UNKNOWN", "SUCCESS", "UNKNOWN_COMMAND", "INVALID_NUMBER", "INVALID_ATTACHMENT", "INVALID_JSON",
	"INVALID_RECIPIENT", "GROUP_NOT_FOUND", "NOT_A_GROUP_MEMBER", "MESSAGE_ERROR", "MISSING_MESSAGE_CONTENT",
	"MESSAGE_PARSING_ERROR", "MISSING_REACTION", "NOT_LINKED", "UNREGISTERED_RECIPIENT", "RATE_LIMITED",
	"CHALLENGE_REQUIRED", "UNTRUSTED_IDENTITY", "NETWORK_ERROR", "INVALID_ARGUMENT", "UNAUTHORIZED",
	"REQUEST_TOO_LARGE", "NOT_FOUND", "PERMISSION_DENIED", "SHUTTING_DOWN", "STORAGE_ERROR", "TOO_MANY_CONNECTIONS",
	"TIMEOUT",
}

// All returns every code, in order.
func All() []Code {
	codes := make([]Code, 0, len(names))
	for c := first; c <= last; c++ {
		codes = append(codes, c)
	}
	return codes
}

// String returns the protocol's name of the code.
func (c Code) String() string {
	if c < first || c > last {
		return "code " + strconv.Itoa(int(c))
	}
	return names[c-first]
}
