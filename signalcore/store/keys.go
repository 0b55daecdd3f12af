package store

import (
	"encoding/binary"
	"errors"
	"path/filepath"

	"signalbox/signalcore/protocol/serviceid"
)

// kind is the first part of a key. Parts of fixed width follow each other without a separator; one of variable width
// can only be the last.
type kind string

// Every kind of key. <local> is "a" or "p" and a slash, for our own ACI or PNI; <id> a service id of 17 bytes, kind first;
// <address> that and a device number of 4 bytes. Numbers are big-endian, so that keys sort by them.
const (
	kindMeta            kind = "meta"            // schema | inboxseq | next/<kind>
	kindAccount         kind = "account"         // self | settings | certificates | groupcredentials | prekeys/<local>
	kindIdentity        kind = "identity"        // <id>
	kindSession         kind = "session"         // <local><address>
	kindPreKey          kind = "prekey"          // <local><kind of prekey, 1 byte><number, 4 bytes>
	kindBaseKey         kind = "basekey"         // <local><Kyber id, 4><signed id, 4><base key>
	kindSenderKey       kind = "senderkey"       // <address><distribution id, 16>
	kindRecipient       kind = "recipient"       // <number, 8>
	kindRecipientACI    kind = "recipientaci"    // <UUID, 16>: the recipient's number
	kindRecipientPNI    kind = "recipientpni"    // <UUID, 16>: the recipient's number
	kindRecipientNumber kind = "recipientnumber" // <E.164>: the recipient's number
	kindGroup           kind = "group"           // <group id, 32>
	kindGroupState      kind = "groupstate"      // <group id, 32>
	kindGroupSender     kind = "groupsender"     // <group id, 32>
	kindEndorsements    kind = "endorsements"    // <group id, 32>
	kindParked          kind = "parked"          // <group id, 32><seq, 8>
	kindInbox           kind = "inbox"           // <seq, 8>
	kindInboxMeta       kind = "inboxmeta"       // <seq, 8>
	kindSeen            kind = "seen"            // <server GUID or hash>; 30 days
	kindAttachment      kind = "attachment"      // <id>
	kindAttachmentDue   kind = "attachmentdue"   // <next attempt, 8><id>
	kindOutgoing        kind = "outgoing"        // <timestamp, 8>
	kindOutgoingKey     kind = "outgoingkey"     // <idempotency key>: the timestamp
	kindOutgoingQueue   kind = "outgoingqueue"   // <order, 8>: the timestamp
	kindCiphertexts     kind = "ciphertexts"     // <timestamp, 8><id>
	kindResend          kind = "resend"          // <timestamp, 8>; two hours
	kindReceipt         kind = "receipt"         // <local><id><message's timestamp, 8>
	kindJob             kind = "job"             // <number, 8>
	kindJobDue          kind = "jobdue"          // <next attempt, 8><number, 8>
	kindQuarantine      kind = "quarantine"      // <seq, 8>
	kindCounter         kind = "counter"         // <name>
)

var errKey = errors.New("malformed key")

func (k kind) key(parts ...[]byte) []byte {
	size := len(k) + 1
	for _, p := range parts {
		size += len(p)
	}
	out := make([]byte, 0, size+8) // Badger appends a version of 8 bytes
	out = append(append(out, k...), '/')
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// kindOf is the kind of a key, for messages: what follows it may name a person.
func kindOf(key []byte) string {
	for i, c := range key {
		if c == '/' {
			return string(key[:i])
		}
	}
	return "unknown"
}

func local(k serviceid.Kind) []byte {
	if k == serviceid.PNI {
		return []byte("p/")
	}
	return []byte("a/")
}

func be32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// beTime writes Unix milliseconds so that keys sort by time; times before 1970 count as 1970.
func beTime(ms int64) []byte { return be64(uint64(max(ms, 0))) }

func fixed(id serviceid.ServiceID) []byte {
	b := id.FixedWidth()
	return b[:]
}

func address(a serviceid.Address) []byte {
	return binary.BigEndian.AppendUint32(fixed(a.ServiceID), a.DeviceID)
}

func parseU64(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, errKey
	}
	return binary.BigEndian.Uint64(b), nil
}

func parseFixed(b []byte) (serviceid.ServiceID, error) {
	if len(b) != 17 {
		return serviceid.ServiceID{}, errKey
	}
	return serviceid.ParseBinary(b)
}

func parseAddress(b []byte) (serviceid.Address, error) {
	if len(b) != 21 {
		return serviceid.Address{}, errKey
	}
	id, err := parseFixed(b[:17])
	return serviceid.Address{ServiceID: id, DeviceID: binary.BigEndian.Uint32(b[17:])}, err
}

func (s *Store) databasePath() string { return filepath.Join(s.dir, databaseDir) }
