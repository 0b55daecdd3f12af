package zkgroup

import (
	"fmt"
	"io"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

// KeySize is the length of a master key and of a group's identifier, in bytes.
const KeySize = 32

// MasterKey is the secret that a group's members share, from which all its keys follow. It prints as a placeholder, so
// that it does not end up in a log.
type MasterKey [KeySize]byte

// Format prints a placeholder for every verb.
func (k MasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(group master key)") }

// ParseMasterKey reads a key of 32 bytes.
func ParseMasterKey(b []byte) (MasterKey, error) {
	if len(b) != KeySize {
		return MasterKey{}, fmt.Errorf("%w: group master key: %d bytes", ErrMalformed, len(b))
	}
	return MasterKey(b), nil
}

// GenerateMasterKey returns the key of a new group.
func GenerateMasterKey(random io.Reader) (MasterKey, error) {
	randomness, err := readRandomness(random)
	if err != nil {
		return MasterKey{}, err
	}
	sho := newSHO("Signal_ZKGroup_20200424_Random_GroupSecretParams_Generate", randomness[:])
	return MasterKey(sho.SqueezeAndRatchet(KeySize)), nil
}

// GroupID returns the identifier of the key's group, without the work for its other keys.
func (k MasterKey) GroupID() GroupID { return GroupID(k.sho().SqueezeAndRatchet(KeySize)) }

// sho is the hash that the group's keys come from, in their order.
func (k MasterKey) sho() *poksho.ShoHmacSha256 {
	return newSHO("Signal_ZKGroup_20200424_GroupMasterKey_GroupSecretParams_DeriveFromMasterKey", k[:])
}

// GroupID names a group, to its members and to the service.
type GroupID [KeySize]byte

// GroupSecretParams are the keys of a group (libsignal rust/zkgroup/src/api/groups/group_params.rs). They are safe for
// concurrent use, and print as a placeholder.
type GroupSecretParams struct {
	masterKey   MasterKey
	id          GroupID
	blobKey     [KeySize]byte
	users       zkcredential.EncryptionKeyPair
	profileKeys zkcredential.EncryptionKeyPair
}

// DeriveGroupSecretParams derives the keys of a group.
func DeriveGroupSecretParams(master MasterKey) *GroupSecretParams {
	sho := master.sho()
	p := &GroupSecretParams{masterKey: master}
	p.id = GroupID(sho.SqueezeAndRatchet(KeySize))
	p.blobKey = [KeySize]byte(sho.SqueezeAndRatchet(KeySize))
	p.users = zkcredential.DeriveEncryptionKeyPair(userDomain, sho)
	p.profileKeys = zkcredential.DeriveEncryptionKeyPair(profileKeyDomain, sho)
	return p
}

// Format prints a placeholder for every verb.
func (p *GroupSecretParams) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(group secret params)")
}

// MasterKey returns the key that the parameters were derived from.
func (p *GroupSecretParams) MasterKey() MasterKey { return p.masterKey }

// GroupID returns the group's identifier.
func (p *GroupSecretParams) GroupID() GroupID { return p.id }

// PublicParams returns the serialised parameters by which the service knows the group: 97 bytes.
func (p *GroupSecretParams) PublicParams() []byte {
	return appendAll(append([]byte{0}, p.id[:]...), p.users.Public(), p.profileKeys.Public())
}

// EncryptServiceID encrypts an account's identifier, to 65 bytes. The same identifier gives the same bytes, by which
// the service knows the member.
func (p *GroupSecretParams) EncryptServiceID(id serviceid.ServiceID) []byte {
	return serializeCiphertext(p.users.Encrypt(userAttribute(id)))
}

// DecryptServiceID decrypts what EncryptServiceID made. ErrMalformed, ErrVerification.
func (p *GroupSecretParams) DecryptServiceID(encrypted []byte) (serviceid.ServiceID, error) {
	points, err := decrypt("encrypted service id", encrypted, p.users)
	if err != nil {
		return serviceid.ServiceID{}, err
	}
	refused := fmt.Errorf("%w: encrypted service id", ErrVerification)
	id, ok := ristretto.LizardDecode(points[1])
	if !ok {
		return serviceid.ServiceID{}, refused
	}
	aci, pni := serviceid.NewACI(id), serviceid.NewPNI(id)
	// Both are computed in any case, so that the time does not tell which one it is.
	isACI, isPNI := points[0].Equal(userPoint(aci)), points[0].Equal(userPoint(pni))
	switch {
	case aci.IsZero():
		return serviceid.ServiceID{}, refused
	case isACI:
		return aci, nil
	case isPNI:
		return pni, nil
	}
	return serviceid.ServiceID{}, refused
}

// EncryptProfileKey encrypts the profile key of the account aci, to 65 bytes.
func (p *GroupSecretParams) EncryptProfileKey(key profilekey.Key, aci serviceid.ServiceID) []byte {
	return serializeCiphertext(p.profileKeys.Encrypt(profileKeyAttribute(key, aci)))
}

// DecryptProfileKey decrypts what EncryptProfileKey made for the same account. ErrMalformed, ErrVerification.
func (p *GroupSecretParams) DecryptProfileKey(encrypted []byte, aci serviceid.ServiceID) (profilekey.Key, error) {
	points, err := decrypt("encrypted profile key", encrypted, p.profileKeys)
	if err != nil {
		return profilekey.Key{}, err
	}
	key, ok := profileKeyOf(points[0], points[1], aci)
	if !ok {
		return profilekey.Key{}, fmt.Errorf("%w: encrypted profile key", ErrVerification)
	}
	return key, nil
}

// groupPublicParams is how the service sees a group.
type groupPublicParams struct {
	id                 GroupID
	users, profileKeys zkcredential.EncryptionPublicKey
}

func parseGroupPublicParams(b []byte) (groupPublicParams, error) {
	r := newReader("group public params", b)
	r.version(0)
	var p groupPublicParams
	copy(p.id[:], r.take(KeySize))
	p.users = zkcredential.EncryptionPublicKey{Domain: userDomain, A: r.point()}
	p.profileKeys = zkcredential.EncryptionPublicKey{Domain: profileKeyDomain, A: r.point()}
	return p, r.done()
}

// GroupIDOf returns the identifier in serialised public parameters. ErrMalformed.
func GroupIDOf(publicParams []byte) (GroupID, error) {
	p, err := parseGroupPublicParams(publicParams)
	return p.id, err
}
