package zkgroup

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/gcmsiv"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

func isTyped(err error) bool { return errors.Is(err, ErrMalformed) || errors.Is(err, ErrVerification) }

func TestGenerateMasterKey(t *testing.T) {
	for _, c := range loadVectors(t).Generated {
		key, err := GenerateMasterKey(c.Random.reader())
		require.NoError(t, err)
		equalBytes(t, c.Master, key[:])
	}
	for _, length := range []int{0, 31, 33} {
		_, err := ParseMasterKey(make([]byte, length))
		require.ErrorIs(t, err, ErrMalformed)
	}
}

func TestGroupVectors(t *testing.T) {
	for _, c := range loadVectors(t).Groups {
		master, err := ParseMasterKey(c.Master)
		require.NoError(t, err)
		p := DeriveGroupSecretParams(master)
		id := p.GroupID()
		equalBytes(t, c.ID, id[:])
		equalBytes(t, c.Public, p.PublicParams())
		equalBytes(t, c.Secret, secretBytes(p))
		require.Equal(t, id, master.GroupID())
		require.Equal(t, master, p.MasterKey())
		parsed, err := GroupIDOf(c.Public)
		require.NoError(t, err)
		require.Equal(t, id, parsed)

		for _, u := range c.Users {
			equalBytes(t, u.Encrypted, p.EncryptServiceID(u.ID.ServiceID))
			got, err := p.DecryptServiceID(u.Encrypted)
			require.NoError(t, err)
			require.Equal(t, u.ID.ServiceID, got)
		}
		for _, k := range c.ProfileKeys {
			equalBytes(t, k.Encrypted, p.EncryptProfileKey(k.Key.key(), k.ACI.ServiceID))
			got, err := p.DecryptProfileKey(k.Encrypted, k.ACI.ServiceID)
			if !k.Decrypts {
				require.ErrorIs(t, err, ErrVerification)
				continue
			}
			require.NoError(t, err)
			require.True(t, k.Key.key() == got)
		}
		for _, b := range c.Blobs {
			encrypted, err := p.EncryptBlob(b.Random.reader(), b.Plaintext, b.Padding)
			require.NoError(t, err)
			equalBytes(t, b.Encrypted, encrypted)
			got, err := p.DecryptBlob(b.Encrypted)
			require.NoError(t, err)
			equalBytes(t, b.Plaintext, got)
		}
	}
}

// secretBytes is libsignal's serialised form of the secret parameters, which nothing here stores.
func secretBytes(p *GroupSecretParams) []byte {
	out := append(append(append([]byte{0}, p.masterKey[:]...), p.id[:]...), p.blobKey[:]...)
	for _, k := range []zkcredential.EncryptionKeyPair{p.users, p.profileKeys} {
		out = k.Append(out)
	}
	return out
}

func TestChangedCiphertextsAreRefused(t *testing.T) {
	c := loadVectors(t).Groups[0]
	p := DeriveGroupSecretParams(MasterKey(c.Master))
	other := DeriveGroupSecretParams(MasterKey(loadVectors(t).Groups[1].Master))

	requireFlipsRefused(t, c.Users[0].Encrypted, func(b []byte) error {
		_, err := p.DecryptServiceID(b)
		return err
	})
	_, err := other.DecryptServiceID(c.Users[0].Encrypted)
	require.ErrorIs(t, err, ErrVerification)

	k := c.ProfileKeys[0]
	requireFlipsRefused(t, k.Encrypted, func(b []byte) error {
		_, err := p.DecryptProfileKey(b, k.ACI.ServiceID)
		return err
	})
	_, err = p.DecryptProfileKey(k.Encrypted, c.ProfileKeys[1].ACI.ServiceID)
	require.ErrorIs(t, err, ErrVerification)

	b := c.Blobs[2].Encrypted
	// The last byte is reserved, and libsignal reads past it whatever it is.
	for i := range len(b) - 1 {
		changed := bytes.Clone(b)
		changed[i] ^= 1 << (i % 8)
		_, err := p.DecryptBlob(changed)
		require.ErrorIs(t, err, ErrVerification, "byte %d", i)
	}
	_, err = other.DecryptBlob(b)
	require.ErrorIs(t, err, ErrVerification)
	requireFlipsRefused(t, c.Public[1+KeySize:], func(b []byte) error {
		_, err := GroupIDOf(append(bytes.Clone(c.Public[:1+KeySize]), b...))
		if err == nil && len(b) == 2*ristretto.Size {
			return ErrMalformed // another point: another group
		}
		return err
	})
}

// A first point that is the base point would mean that nothing is encrypted (libsignal
// rust/zkcredential/src/attributes.rs, decrypt_to_second_point).
func TestPointsThatDoNotBelongTogetherAreRefused(t *testing.T) {
	p := DeriveGroupSecretParams(MasterKey{1})
	c := serializeCiphertext(zkcredential.Attribute{ristretto.Base(), ristretto.Base()})
	_, err := p.DecryptServiceID(c)
	require.ErrorIs(t, err, ErrVerification)
	_, err = p.DecryptProfileKey(c, serviceid.NewACI(uuid.New()))
	require.ErrorIs(t, err, ErrVerification)
	mixed := zkcredential.Attribute{userPoint(serviceid.NewACI(uuid.New())), ristretto.LizardEncode(uuid.New())}
	_, err = p.DecryptServiceID(serializeCiphertext(p.users.Encrypt(mixed)))
	require.ErrorIs(t, err, ErrVerification, "the points are of two accounts")
	_, err = p.DecryptServiceID(p.EncryptServiceID(serviceid.ServiceID{}))
	require.ErrorIs(t, err, ErrVerification, "nobody")
}

func TestPaddingIsRefusedWhereThereIsNone(t *testing.T) {
	p := DeriveGroupSecretParams(MasterKey{1})
	_, err := p.EncryptBlob(rand.Reader, nil, maxBlobPadding+1)
	require.Error(t, err)
	for _, length := range []int{0, 1, 28} {
		_, err = p.DecryptBlob(make([]byte, length))
		require.ErrorIs(t, err, ErrMalformed)
	}
	for _, content := range [][]byte{nil, {0, 0, 0}, {0, 0, 0, 1}, {255, 255, 255, 255, 0}} {
		_, err = p.DecryptBlob(sealBlob(p, content))
		require.ErrorIs(t, err, ErrMalformed)
	}
}

// Profile keys that differ in the bits that M4 does not hold.
func TestProfileKeysOfAllForms(t *testing.T) {
	p := DeriveGroupSecretParams(MasterKey{2})
	for i := range 64 {
		key, err := profilekey.Generate(rand.Reader)
		require.NoError(t, err)
		key[0], key[31] = key[0]&0xfe|byte(i>>2&1), key[31]&0x3f|byte(i<<6)
		aci := serviceid.NewACI(uuid.New())
		got, err := p.DecryptProfileKey(p.EncryptProfileKey(key, aci), aci)
		require.NoError(t, err)
		require.True(t, key == got)
	}
}

func TestSecretsPrintAsPlaceholders(t *testing.T) {
	p := DeriveGroupSecretParams(MasterKey{1})
	for _, verb := range []string{"%v", "%x", "%#v", "%s", "%d"} {
		require.Equal(t, "(group master key) (group secret params)", fmt.Sprintf(verb+" "+verb, p.MasterKey(), p))
	}
}

// sealBlob encrypts what has to begin with the length of the padding.
func sealBlob(p *GroupSecretParams, padded []byte) []byte {
	nonce := [gcmsiv.NonceSize]byte{7}
	return append(append(gcmsiv.Seal(p.blobKey, nonce, padded, nil), nonce[:]...), 0)
}

func FuzzGroupCiphertexts(f *testing.F) {
	c := loadVectors(f).Groups[0]
	p := DeriveGroupSecretParams(MasterKey(c.Master))
	f.Add([]byte(c.Users[0].Encrypted))
	f.Add([]byte(c.ProfileKeys[0].Encrypted))
	f.Add([]byte(c.Blobs[3].Encrypted))
	f.Add([]byte(c.Public))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := p.DecryptServiceID(b); err == nil {
			require.True(t, bytes.Equal(b, p.EncryptServiceID(id)))
		} else {
			require.True(t, isTyped(err))
		}
		aci := c.ProfileKeys[0].ACI.ServiceID
		if key, err := p.DecryptProfileKey(b, aci); err == nil {
			require.True(t, bytes.Equal(b, p.EncryptProfileKey(key, aci)))
		} else {
			require.True(t, isTyped(err))
		}
		if _, err := p.DecryptBlob(b); err != nil {
			require.True(t, isTyped(err))
		}
		if _, err := GroupIDOf(b); err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
	})
}
