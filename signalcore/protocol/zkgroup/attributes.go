package zkgroup

import (
	"crypto/subtle"

	"filippo.io/edwards25519/field"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

func newSHO(label string, data ...[]byte) *poksho.ShoHmacSha256 {
	sho := poksho.NewShoHmacSha256([]byte(label))
	sho.AbsorbAndRatchet(data...)
	return sho
}

// userAttribute is M1 and M2 of an account (libsignal rust/zkgroup/src/crypto/uid_struct.rs).
func userAttribute(id serviceid.ServiceID) zkcredential.Attribute {
	return zkcredential.Attribute{userPoint(id), ristretto.LizardEncode(id.UUID)}
}

// userPoint is M1, which tells an ACI and a PNI with one UUID apart.
func userPoint(id serviceid.ServiceID) ristretto.Point {
	return newSHO("Signal_ZKGroup_20200424_UID_CalcM1", id.Binary()).Point()
}

// profileKeyAttribute is M3 and M4 of an account's profile key (crypto/profile_key_struct.rs). M4 lacks three bits of
// the key, which M3 tells.
func profileKeyAttribute(key profilekey.Key, aci serviceid.ServiceID) zkcredential.Attribute {
	m3 := ristretto.MapToCurve(profileKeyHash(profileKeySeed(), key, aci))
	encoded := [profilekey.Size]byte(key)
	encoded[0] &= 0xfe
	encoded[31] &= 0x3f
	return zkcredential.Attribute{m3, ristretto.MapToCurve(encoded)}
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

// profileKeyOf finds the key of which M3 and M4 are the points: of the up to 8 elements that M4 may be mapped from,
// with each of the 8 values of the three bits, the one whose hash is mapped to M3 (crypto/profile_key_encryption.rs).
// It goes through all of them in the same time, and wants exactly one. For that M3 is taken back to the elements it may
// be mapped from, instead of 64 hashes to points.
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
