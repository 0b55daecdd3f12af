package session

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/testdata/interop/official"
)

// peer is the official library.
type peer struct {
	t testing.TB
	*official.Peer
}

func startPeer(t testing.TB) *peer { return &peer{t, official.Start(t, "crypto/peer.mjs")} }

type fields map[string]any

// reply is the union of all replies.
type reply struct {
	OK      bool
	Error   string
	Message string

	Identity   []byte
	Bundle     peerBundle
	Type       Type
	Ciphertext []byte
	Plaintext  []byte
	Matches    bool
	Serialized []byte
	Timestamp  uint64
	Device     uint32
	Key        []byte
	Signature  []byte
	Valid      bool
	Encrypt    float64
	Decrypt    float64
}

// call returns the reply, which may be an error of the library's.
func (p *peer) call(op string, args fields) reply {
	request := fields{"op": op}
	for k, v := range args {
		request[k] = v
	}
	var r reply
	require.NoError(p.t, p.Exchange(request, &r))
	return r
}

// must returns a reply that is no error.
func (p *peer) must(op string, args fields) reply {
	p.t.Helper()
	r := p.call(op, args)
	require.True(p.t, r.OK, "%s: %s: %s", op, r.Error, r.Message)
	return r
}

// peerBundle is a prekey bundle in JSON.
type peerBundle struct {
	RegistrationID  uint32  `json:"registrationId"`
	DeviceID        uint32  `json:"deviceId"`
	Identity        []byte  `json:"identity"`
	OneTimeID       *uint32 `json:"oneTimeId,omitempty"`
	OneTime         []byte  `json:"oneTime,omitempty"`
	SignedID        uint32  `json:"signedId"`
	Signed          []byte  `json:"signed"`
	SignedSignature []byte  `json:"signedSignature"`
	KyberID         uint32  `json:"kyberId"`
	Kyber           []byte  `json:"kyber"`
	KyberSignature  []byte  `json:"kyberSignature"`
}

func toPeerBundle(b prekey.Bundle) peerBundle {
	out := peerBundle{
		RegistrationID: b.RegistrationID, DeviceID: b.DeviceID, Identity: b.Identity.Serialize(),
		SignedID: b.Signed.ID, Signed: b.Signed.Key.Serialize(), SignedSignature: b.Signed.Signature,
		KyberID: b.Kyber.ID, Kyber: b.Kyber.Key.Serialize(), KyberSignature: b.Kyber.Signature,
	}
	if b.OneTime != nil {
		out.OneTimeID, out.OneTime = &b.OneTime.ID, b.OneTime.Key.Serialize()
	}
	return out
}

func (b peerBundle) parse(t testing.TB) prekey.Bundle {
	key := func(b []byte) curve.PublicKey {
		k, err := curve.ParsePublicKey(b)
		require.NoError(t, err)
		return k
	}
	kyber, err := kem.ParsePublicKey(b.Kyber)
	require.NoError(t, err)
	out := prekey.Bundle{
		RegistrationID: b.RegistrationID, DeviceID: b.DeviceID, Identity: key(b.Identity),
		Signed: prekey.PublicSigned{ID: b.SignedID, Key: key(b.Signed), Signature: b.SignedSignature},
		Kyber:  prekey.PublicKyber{ID: b.KyberID, Key: kyber, Signature: b.KyberSignature},
	}
	if b.OneTimeID != nil {
		out.OneTime = &prekey.PublicEC{ID: *b.OneTimeID, Key: key(b.OneTime)}
	}
	return out
}

// theirs is a device of the official library, with one device of ours to talk to.
type theirs struct {
	*peer
	name    string
	address serviceid.Address
}

func (p *peer) device(name string, address serviceid.Address) *theirs {
	p.must("create", fields{
		"party": name, "name": address.ServiceID.String(), "device": address.DeviceID, "registrationId": 4711,
	})
	return &theirs{p, name, address}
}

func (d *theirs) args(ours *party, more fields) fields {
	out := fields{
		"party": d.name, "now": start.UnixMilli(),
		"remote": []any{ours.address.ServiceID.String(), ours.address.DeviceID},
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func (d *theirs) bundle(oneTime bool) prekey.Bundle {
	return d.must("bundle", fields{"party": d.name, "oneTime": oneTime}).Bundle.parse(d.t)
}

func (d *theirs) open(ours *party) {
	d.must("open", d.args(ours, fields{"bundle": toPeerBundle(ours.bundle())}))
}

func (d *theirs) encrypt(ours *party, plaintext string) sent {
	r := d.must("encrypt", d.args(ours, fields{"plaintext": []byte(plaintext)}))
	return sent{r.Type, r.Ciphertext}
}

func (d *theirs) decrypt(ours *party, m sent) (string, error) {
	r := d.call("decrypt", d.args(ours, fields{"type": m.kind, "ciphertext": m.ciphertext}))
	switch {
	case r.OK:
		return string(r.Plaintext), nil
	case r.Error == "DuplicatedMessage":
		return "", ErrDuplicate
	}
	return "", fmt.Errorf("%s: %s", r.Error, r.Message)
}
