package zkgroup

import (
	"bytes"
	"crypto/subtle"
	"sync"

	"filippo.io/edwards25519/field"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
)

// attribute is what a credential is about, as two points: the first a hash, the second an encoding that can be undone.
type attribute [2]ristretto.Point

func newSHO(label string, data ...[]byte) *poksho.ShoHmacSha256 {
	sho := poksho.NewShoHmacSha256([]byte(label))
	sho.AbsorbAndRatchet(data...)
	return sho
}

// userAttribute is M1 and M2 of an account (libsignal rust/zkgroup/src/crypto/uid_struct.rs).
func userAttribute(id serviceid.ServiceID) attribute {
	return attribute{userPoint(id), ristretto.LizardEncode(id.UUID)}
}

// userPoint is M1, which tells an ACI and a PNI with one UUID apart.
func userPoint(id serviceid.ServiceID) ristretto.Point {
	return newSHO("Signal_ZKGroup_20200424_UID_CalcM1", id.Binary()).Point()
}

// profileKeyAttribute is M3 and M4 of an account's profile key (crypto/profile_key_struct.rs). M4 lacks three bits of the
// key, which M3 tells.
func profileKeyAttribute(key profilekey.Key, aci serviceid.ServiceID) attribute {
	m3 := ristretto.MapToCurve(profileKeyHash(profileKeySeed(), key, aci))
	encoded := [profilekey.Size]byte(key)
	encoded[0] &= 0xfe
	encoded[31] &= 0x3f
	return attribute{m3, ristretto.MapToCurve(encoded)}
}

func profileKeySeed() *poksho.ShoHmacSha256 {
	return poksho.NewShoHmacSha256([]byte("Signal_ZKGroup_20200424_ProfileKeyAndUid_ProfileKey_CalcM3"))
}

// profileKeyHash is what M3 is mapped from.
func profileKeyHash(seed *poksho.ShoHmacSha256, key profilekey.Key, aci serviceid.ServiceID) [32]byte {
	sho := seed.Clone()
	sho.AbsorbAndRatchet(key[:], aci.UUID[:])
	return [32]byte(sho.SqueezeAndRatchet(32))
}

// profileKeyOf finds the key of which M3 and M4 are the points: of the up to 8 elements that M4 may be mapped from, with
// each of the 8 values of the three bits, the one whose hash is mapped to M3 (crypto/profile_key_encryption.rs). It goes
// through all of them in the same time, and wants exactly one. For that M3 is taken back to the elements it may be mapped
// from, instead of 64 hashes to points.
func profileKeyOf(m3, m4 ristretto.Point, aci serviceid.ServiceID) (profilekey.Key, bool) {
	targets, seed := ristretto.InverseMap(m3), profileKeySeed()
	var found profilekey.Key
	count := 0
	for _, candidate := range ristretto.InverseMap(m4) {
		for bits := range byte(8) {
			key := profilekey.Key(candidate.Bytes)
			key[0] |= bits >> 2
			key[31] |= bits << 6
			match := candidate.Valid & matches(&targets, profileKeyHash(seed, key, aci))
			subtle.ConstantTimeCopy(match, found[:], key[:])
			count += match
		}
	}
	if count != 1 {
		return profilekey.Key{}, false
	}
	return found, true
}

// matches is 1 if MapToCurve takes hash to the point of the targets, and 0 if not.
func matches(targets *[8]ristretto.Candidate, hash [32]byte) int {
	element, err := new(field.Element).SetBytes(hash[:])
	if err != nil {
		panic("32 bytes reduce to a field element: " + err.Error())
	}
	absolute := element.Absolute(element).Bytes()
	match := 0
	for i := range targets {
		match |= targets[i].Valid & subtle.ConstantTimeCompare(absolute, targets[i].Bytes[:])
	}
	return match
}

// domain tells the keys for one kind of attribute from those for another.
type domain struct {
	generators func() [2]ristretto.Point
}

func newDomain(label string) domain {
	return domain{generators: sync.OnceValue(func() [2]ristretto.Point {
		sho := newSHO(label, nil)
		return [2]ristretto.Point{sho.Point(), sho.Point()}
	})}
}

// The generators are those of crypto/uid_encryption.rs and crypto/profile_key_encryption.rs.
var (
	userDomain       = newDomain("Signal_ZKGroup_20200424_Constant_UidEncryption_SystemParams_Generate")
	profileKeyDomain = newDomain("Signal_ZKGroup_20200424_Constant_ProfileKeyEncryption_SystemParams_Generate")
)

// attributeKeys encrypt attributes of one kind (eprint 2019/1416, section 4.1; libsignal
// rust/zkcredential/src/attributes.rs).
type attributeKeys struct {
	a1, a2 ristretto.Scalar
	public ristretto.Point
}

func deriveAttributeKeys(sho *poksho.ShoHmacSha256, d domain) attributeKeys {
	a1, a2 := sho.Scalar(), sho.Scalar()
	g := d.generators()
	return attributeKeys{a1, a2, ristretto.Sum(ristretto.Term{Scalar: a1, Point: g[0]}, ristretto.Term{Scalar: a2, Point: g[1]})}
}

func (k attributeKeys) encrypt(m attribute) ciphertext {
	e1 := m[0].Mul(k.a1)
	return ciphertext{e1, e1.Mul(k.a2).Add(m[1])}
}

// decrypt returns what would have to be the attribute; of a ciphertext under other keys it returns some points. It fails
// if the first point is the base point, under which nothing would be encrypted.
func (k attributeKeys) decrypt(c ciphertext) (attribute, bool) {
	if c[0].Equal(ristretto.Base()) {
		return attribute{}, false
	}
	return attribute{c[0].Mul(k.a1.Invert()), c[1].Sub(c[0].Mul(k.a2))}, true
}

// ciphertext is an encrypted attribute.
type ciphertext [2]ristretto.Point

// CiphertextSize is the length of an encrypted service id and of an encrypted profile key, in bytes.
const CiphertextSize = 1 + 2*ristretto.Size

func (c ciphertext) serialize() []byte {
	return c.append(append(make([]byte, 0, CiphertextSize), 0))
}

func (c ciphertext) append(out []byte) []byte { return appendAll(out, c[0], c[1]) }

func (c ciphertext) equal(other ciphertext) bool {
	return bytes.Equal(c.append(nil), other.append(nil))
}

func (r *reader) ciphertext() ciphertext { return ciphertext{r.point(), r.point()} }

func parseCiphertext(what string, b []byte) (ciphertext, error) {
	r := newReader(what, b)
	r.version(0)
	c := r.ciphertext()
	return c, r.done()
}
