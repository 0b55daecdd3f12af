package content

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	maxContactEntry  = 64 << 10
	maxContactAvatar = 16 << 20
	maxContacts      = 100_000
)

// SyncedContact is one entry of the contact stream that a primary sends.
type SyncedContact struct {
	// ACI and Number are each empty where the primary does not know them, but never both.
	ACI    serviceid.ServiceID
	Number string
	Name   string
	Timer  Timer
	// Position is the conversation's place in the list of the primary; 0 where it says nothing.
	Position uint32
}

// ReadContacts reads a contact stream: entries with their length in front, each followed by its avatar, which is
// skipped. It stops at the first error of each, and at one of its own, an *InvalidError, for a stream that is cut off
// or beyond all bounds. Entries that name nobody are left out.
func ReadContacts(stream io.Reader, each func(SyncedContact) error) error {
	r := bufio.NewReader(stream)
	for range maxContacts {
		details, err := readContact(r)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if contact, ok := parseContact(details); ok {
			if err := each(contact); err != nil {
				return err
			}
		}
	}
	if _, err := r.Peek(1); err == nil {
		return invalid("contact stream", "more than %d entries", maxContacts)
	}
	return nil
}

// readContact returns io.EOF, bare, only between two entries.
func readContact(r *bufio.Reader) (*servicepb.ContactDetails, error) {
	if _, err := r.Peek(1); err != nil {
		if err == io.EOF {
			return nil, io.EOF
		}
		return nil, contactError("it", err)
	}
	size, err := readLength(r)
	if err != nil {
		return nil, err
	}
	entry := make([]byte, size)
	if _, err := io.ReadFull(r, entry); err != nil {
		return nil, contactError("an entry", err)
	}
	details := &servicepb.ContactDetails{}
	if err := proto.Unmarshal(entry, details); err != nil {
		return nil, invalid("contact stream", "an entry that is no protobuf")
	}
	avatar := int64(details.GetAvatar().GetLength())
	if avatar > maxContactAvatar {
		return nil, invalid("contact stream", "an avatar of %d bytes", avatar)
	}
	if _, err := io.CopyN(io.Discard, r, avatar); err != nil {
		return nil, contactError("an avatar", err)
	}
	return details, nil
}

// readLength reads a varint that is at most maxContactEntry.
func readLength(r *bufio.Reader) (int, error) {
	size := 0
	for shift := 0; shift < 21; shift += 7 {
		b, err := r.ReadByte()
		if err != nil {
			return 0, contactError("a length", err)
		}
		size |= int(b&0x7f) << shift
		if b < 0x80 && size <= maxContactEntry {
			return size, nil
		}
	}
	return 0, invalid("contact stream", "an entry of more than %d bytes", maxContactEntry)
}

// contactError keeps a failure of the source apart from a stream that ends too early.
func contactError(what string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalid("contact stream", "%s is cut off", what)
	}
	return fmt.Errorf("reading contacts: %w", err)
}

func parseContact(d *servicepb.ContactDetails) (SyncedContact, bool) {
	aci, ok := parseACI(d.GetAci(), d.GetAciBinary())
	return SyncedContact{
		ACI: aci, Number: cleanText(d.GetNumber()), Name: cleanText(d.GetName()), Position: d.GetInboxPosition(),
		Timer: Timer{Seconds: d.GetExpireTimer(), Version: d.GetExpireTimerVersion()},
	}, ok || d.GetNumber() != ""
}
