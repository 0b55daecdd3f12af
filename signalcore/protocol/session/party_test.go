package session

import (
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
)

// start is when the tests' conversations take place.
var start = time.UnixMilli(1_700_000_000_000)

// seeded returns randomness that is the same in every run.
func seeded(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// party is one device with its keys and its sessions with one other device.
type party struct {
	t       testing.TB
	rand    io.Reader
	local   Local
	address serviceid.Address
	oneTime map[uint32]prekey.EC
	signed  prekey.Signed
	kyber   map[uint32]prekey.Kyber
	record  Record
	nextID  uint32
}

func newParty(t testing.TB, seed uint64) *party {
	random := seeded(seed)
	identity, err := curve.GenerateKeyPair(random)
	require.NoError(t, err)
	signed, err := prekey.GenerateSigned(random, identity.Private, 7, start)
	require.NoError(t, err)
	id := uuid.UUID{15: byte(seed), 14: byte(seed >> 8), 0: 1}
	return &party{
		t: t, rand: random, local: Local{Identity: identity, RegistrationID: uint32(100 + seed)},
		address: serviceid.Address{ServiceID: serviceid.NewACI(id), DeviceID: 1},
		signed:  signed, oneTime: map[uint32]prekey.EC{}, kyber: map[uint32]prekey.Kyber{},
	}
}

func (p *party) ends(other serviceid.Address) Ends { return Ends{Local: p.address, Remote: other} }

// bundle makes new one-time prekeys and returns them in a bundle.
func (p *party) bundle() prekey.Bundle {
	p.nextID++
	oneTime, err := prekey.GenerateEC(p.rand, p.nextID, 1)
	require.NoError(p.t, err)
	kyber, err := prekey.GenerateKyber(p.rand, p.local.Identity.Private, p.nextID, 1, start)
	require.NoError(p.t, err)
	p.oneTime[p.nextID], p.kyber[p.nextID] = oneTime[0], kyber[0]
	public := oneTime[0].Public()
	return prekey.Bundle{
		RegistrationID: p.local.RegistrationID, DeviceID: p.address.DeviceID, Identity: p.local.Identity.Public,
		OneTime: &public, Signed: p.signed.Public(), Kyber: kyber[0].Public(),
	}
}

func (p *party) open(other serviceid.Address, bundle prekey.Bundle) {
	next, err := Open(p.rand, p.record, p.local, p.ends(other), Opening{Bundle: bundle, Now: start})
	require.NoError(p.t, err)
	p.record = next
}

type sent struct {
	kind       Type
	ciphertext []byte
}

func (p *party) encrypt(other serviceid.Address, plaintext string) sent {
	out, err := Encrypt(p.rand, p.record, p.ends(other), start, []byte(plaintext))
	require.NoError(p.t, err)
	p.record = out.Record
	return sent{out.Type, out.Ciphertext}
}

// try decrypts without applying anything.
func (p *party) try(other serviceid.Address, m sent) (Decrypted, error) {
	if m.kind == TypeMessage {
		message, err := ParseMessage(m.ciphertext)
		if err != nil {
			return Decrypted{}, err
		}
		return Decrypt(p.record, p.ends(other), message)
	}
	message, err := ParsePreKeyMessage(m.ciphertext)
	if err != nil {
		return Decrypted{}, err
	}
	var keys PreKeys
	if !p.record.HasSessionOf(message) {
		keys = p.find(message)
	}
	return DecryptPreKey(p.record, p.local, p.ends(other), message, keys)
}

func (p *party) find(m *PreKeyMessage) PreKeys {
	keys := PreKeys{Signed: &p.signed}
	if m.OneTimeID != nil {
		if k, ok := p.oneTime[*m.OneTimeID]; ok {
			keys.OneTime = &k
		}
	}
	if k, ok := p.kyber[m.KyberID]; ok {
		keys.Kyber = &k
	}
	return keys
}

// decrypt applies the effects of a message.
func (p *party) decrypt(other serviceid.Address, m sent) (string, error) {
	before := p.record.Serialize()
	out, err := p.try(other, m)
	require.Equal(p.t, before, p.record.Serialize(), "decrypting leaves the given record alone")
	if err != nil {
		return "", err
	}
	p.record = out.Record
	if out.Used != nil {
		if out.Used.OneTimeID != nil {
			delete(p.oneTime, *out.Used.OneTimeID)
		}
		if !out.Used.LastResort {
			delete(p.kyber, out.Used.KyberID)
		}
	}
	return string(out.Plaintext), nil
}

// restart replaces the record with its stored form.
func (p *party) restart() {
	stored := p.record.Serialize()
	record, err := ParseRecord(stored)
	require.NoError(p.t, err)
	require.Equal(p.t, stored, record.Serialize())
	p.record = record
}

func pair(t testing.TB) (*party, *party) {
	alice, bob := newParty(t, 1), newParty(t, 2)
	alice.open(bob.address, bob.bundle())
	return alice, bob
}

// say sends a message that must arrive.
func say(from, to *party, text string) {
	from.t.Helper()
	got, err := to.decrypt(from.address, from.encrypt(to.address, text))
	require.NoError(from.t, err)
	require.Equal(from.t, text, got)
}
