package zkgroup

import (
	"sync"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
)

// commitment binds an account to its profile key without telling it (libsignal
// rust/zkgroup/src/crypto/profile_key_commitment.rs). The service stores it with the profile, and checks requests of
// credentials against it.
type commitment struct{ j1, j2, j3 ristretto.Point }

var commitmentSystem = sync.OnceValue(func() commitment {
	sho := newSHO("Signal_ZKGroup_20200424_Constant_ProfileKeyCommitment_SystemParams_Generate", nil)
	return commitment{sho.Point(), sho.Point(), sho.Point()}
})

// commit returns the commitment with its secret.
func commit(key profilekey.Key, aci serviceid.ServiceID) (commitment, ristretto.Scalar) {
	const label = "Signal_ZKGroup_20200424_ProfileKeyAndUid_ProfileKeyCommitment_Calcj3"
	secret := newSHO(label, key[:], aci.UUID[:]).Scalar()
	g, points := commitmentSystem(), profileKeyAttribute(key, aci)
	return commitment{g.j1.Mul(secret).Add(points[0]), g.j2.Mul(secret).Add(points[1]), g.j3.Mul(secret)}, secret
}

// ProfileKeyCommitment returns the commitment of the account aci to its profile key, 97 bytes, which goes to the
// service with the profile.
func ProfileKeyCommitment(key profilekey.Key, aci serviceid.ServiceID) []byte {
	c, _ := commit(key, aci)
	return appendAll([]byte{0}, c.j1, c.j2, c.j3)
}

// ValidProfileKeyCommitment tells whether these bytes are a commitment, to whatever key.
func ValidProfileKeyCommitment(b []byte) bool {
	_, err := parseCommitment(b)
	return err == nil
}

func parseCommitment(b []byte) (commitment, error) {
	r := newReader("profile key commitment", b)
	r.version(0)
	c := commitment{r.point(), r.point(), r.point()}
	return c, r.done()
}
