// Package serviceid holds the identifiers of accounts and devices: the ACI and the PNI, in the string and binary
// forms of the service, and the address of one device of an account.
//
// Source: libsignal rust/core/src/address.rs. Phone numbers and usernames are not here.
package serviceid

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
)

// Kind tells the two identities of an account apart. Its value is the prefix byte of the fixed-width form.
type Kind byte

const (
	// ACI is the account identity, which contacts know.
	ACI Kind = 0x00
	// PNI is the phone-number identity, which those who only know the number reach.
	PNI Kind = 0x01
)

const pniPrefix = "PNI:"

// ErrMalformed is returned for bytes or text that are no service id.
var ErrMalformed = errors.New("malformed service id")

// ServiceID is an ACI or a PNI. It is comparable; the zero value is "none".
type ServiceID struct {
	Kind Kind
	UUID uuid.UUID
}

// NewACI returns the ACI with the given UUID.
func NewACI(id uuid.UUID) ServiceID { return ServiceID{ACI, id} }

// NewPNI returns the PNI with the given UUID.
func NewPNI(id uuid.UUID) ServiceID { return ServiceID{PNI, id} }

// IsZero reports whether there is no identifier here: a nil UUID names nobody.
func (s ServiceID) IsZero() bool { return s.UUID == uuid.Nil }

// String returns the service's text form: the bare UUID of an ACI, "PNI:" and the UUID of a PNI.
func (s ServiceID) String() string {
	if s.Kind == PNI {
		return pniPrefix + s.UUID.String()
	}
	return s.UUID.String()
}

// Short returns the first eight digits, for logs.
func (s ServiceID) Short() string {
	return strings.TrimSuffix(s.String(), s.UUID.String()[8:])
}

// Binary returns the form of the "…Binary" protobuf fields: 16 bytes for an ACI, 17 with a 0x01 prefix for a PNI.
func (s ServiceID) Binary() []byte {
	if s.Kind == ACI {
		return append([]byte(nil), s.UUID[:]...)
	}
	return append([]byte{byte(s.Kind)}, s.UUID[:]...)
}

// FixedWidth returns the 17-byte form, kind first, which sealed sender v2 and zkgroup use.
func (s ServiceID) FixedWidth() [17]byte {
	var out [17]byte
	out[0] = byte(s.Kind)
	copy(out[1:], s.UUID[:])
	return out
}

// Parse reads the text form. The nil UUID is refused.
func Parse(text string) (ServiceID, error) {
	kind, rest := ACI, text
	if len(text) > len(pniPrefix) && strings.EqualFold(text[:len(pniPrefix)], pniPrefix) {
		kind, rest = PNI, text[len(pniPrefix):]
	}
	if len(rest) != 36 {
		return ServiceID{}, fmt.Errorf("%w: %d characters", ErrMalformed, len(text))
	}
	id, err := uuid.Parse(rest)
	if err != nil || id == uuid.Nil {
		return ServiceID{}, fmt.Errorf("%w: not a UUID", ErrMalformed)
	}
	return ServiceID{kind, id}, nil
}

// ParseBinary reads the form that Binary writes; the 17-byte form of an ACI is accepted too.
func ParseBinary(b []byte) (ServiceID, error) {
	var s ServiceID
	switch {
	case len(b) == 16:
		copy(s.UUID[:], b)
	case len(b) == 17 && (Kind(b[0]) == ACI || Kind(b[0]) == PNI):
		s.Kind = Kind(b[0])
		copy(s.UUID[:], b[1:])
	default:
		return ServiceID{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(b))
	}
	if s.IsZero() {
		return ServiceID{}, fmt.Errorf("%w: nil UUID", ErrMalformed)
	}
	return s, nil
}

// MaxDeviceID is the highest device number that the protocol knows.
const MaxDeviceID = 127

// Address is one device of an account's identity: what a session is kept with.
type Address struct {
	ServiceID ServiceID
	DeviceID  uint32
}

// String returns "<service id>.<device>", the form under which libsignal names sessions.
func (a Address) String() string { return fmt.Sprintf("%s.%d", a.ServiceID, a.DeviceID) }
