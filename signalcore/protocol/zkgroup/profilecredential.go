package zkgroup

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
)

// ProfileKeyCredential proves, until it expires, that an account has a profile key (libsignal
// rust/zkgroup/src/api/profiles/expiring_profile_key_credential.rs). It holds the key, and prints as a placeholder.
type ProfileKeyCredential struct {
	mac     mac
	aci     serviceid.ServiceID
	key     profilekey.Key
	expires uint64
}

// Format prints a placeholder for every verb.
func (c *ProfileKeyCredential) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(profile key credential)")
}

// ACI returns the account.
func (c *ProfileKeyCredential) ACI() serviceid.ServiceID { return c.aci }

// Expires returns when the credential expires: the begin of a UTC day.
func (c *ProfileKeyCredential) Expires() time.Time { return timeOf(c.expires) }

// Serialize returns the 153 bytes that ParseProfileKeyCredential reads. They hold the profile key.
func (c *ProfileKeyCredential) Serialize() []byte {
	out := append(c.mac.Append([]byte{0}), c.aci.UUID[:]...)
	return appendUint64(append(out, c.key[:]...), c.expires)
}

// ParseProfileKeyCredential reads what Serialize wrote. ErrMalformed.
func ParseProfileKeyCredential(b []byte) (*ProfileKeyCredential, error) {
	r := newReader("profile key credential", b)
	r.version(0)
	c := &ProfileKeyCredential{mac: r.mac()}
	var id uuid.UUID
	copy(id[:], r.take(len(id)))
	c.aci = serviceid.NewACI(id)
	copy(c.key[:], r.take(len(c.key)))
	c.expires = r.uint64()
	if err := r.done(); err != nil {
		return nil, err
	}
	return c, nil
}
