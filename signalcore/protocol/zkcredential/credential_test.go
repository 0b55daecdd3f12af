package zkcredential_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	zk "signalbox/signalcore/protocol/zkcredential"
)

var (
	userDomain    = zk.NewDomain("Test_User")
	profileDomain = zk.NewDomain("Test_Profile")
	modes         = map[string]zk.Mode{"standard": zk.Standard, "legacy": zk.Legacy}
	label         = []byte("20221221_TestCredential")
)

func seeded(name string) *poksho.ShoHmacSha256 { return poksho.NewShoHmacSha256([]byte(name)) }

func random(sho *poksho.ShoHmacSha256) [32]byte { return [32]byte(sho.SqueezeAndRatchet(32)) }

func attribute(sho *poksho.ShoHmacSha256) zk.Attribute { return zk.Attribute{sho.Point(), sho.Point()} }

// reread serialises, reads back and compares; what follows has to be left.
func reread[T interface{ Append([]byte) []byte }](
	t *testing.T, value T, size int, read func([]byte) (T, []byte, error),
) T {
	t.Helper()
	b := value.Append(nil)
	if size > 0 {
		require.Len(t, b, size)
	}
	got, rest, err := read(append(b[:len(b):len(b)], "rest"...))
	require.NoError(t, err)
	require.Equal(t, "rest", string(rest))
	require.Equal(t, b, got.Append(nil))
	for cut := range len(b) {
		_, _, err := read(b[:cut])
		require.ErrorIs(t, err, zk.ErrMalformed)
	}
	return got
}

func eachMode(t *testing.T, test func(*testing.T, zk.Mode)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) { test(t, mode) })
	}
}

func keyPair(t *testing.T, mode zk.Mode, sho *poksho.ShoHmacSha256) *zk.CredentialKeyPair {
	return reread(t, zk.GenerateCredentialKeyPair(mode, random(sho)), 384,
		func(b []byte) (*zk.CredentialKeyPair, []byte, error) { return zk.ReadCredentialKeyPair(mode, b) })
}

func publicKey(t *testing.T, mode zk.Mode, key *zk.CredentialKeyPair) *zk.CredentialPublicKey {
	return reread(t, key.Public(), 224,
		func(b []byte) (*zk.CredentialPublicKey, []byte, error) { return zk.ReadCredentialPublicKey(mode, b) })
}

func encryptionKeyPair(t *testing.T, domain *zk.Domain, sho *poksho.ShoHmacSha256) zk.EncryptionKeyPair {
	return reread(t, zk.DeriveEncryptionKeyPair(domain, sho), 96,
		func(b []byte) (zk.EncryptionKeyPair, []byte, error) { return zk.ReadEncryptionKeyPair(domain, b) })
}

func encryptionPublicKey(t *testing.T, key zk.EncryptionKeyPair) zk.EncryptionPublicKey {
	return reread(t, key.Public(), 32, func(b []byte) (zk.EncryptionPublicKey, []byte, error) {
		return zk.ReadEncryptionPublicKey(key.Public().Domain, b)
	})
}

func TestCredential(t *testing.T) {
	eachMode(t, func(t *testing.T, mode zk.Mode) {
		sho := seeded("credential")
		key := keyPair(t, mode, sho)
		public := publicKey(t, mode, key)
		user, profile := attribute(sho), attribute(sho)
		users, profiles := encryptionKeyPair(t, userDomain, sho), encryptionKeyPair(t, profileDomain, sho)

		issuance := func() *zk.Issuance {
			return zk.NewIssuance(label).Message([]byte("abc")).AddPublic([]byte{1, 2, 3}).
				Add(user).Add(profile).AddPublicNumber(42)
		}
		proof, err := issuance().Issue(key, random(sho))
		require.NoError(t, err)
		proof = reread(t, proof, 96+8+32*(1+9), zk.ReadIssuanceProof)
		credential, err := issuance().Verify(public, proof)
		require.NoError(t, err)
		credential = reread(t, credential, zk.CredentialSize, zk.ReadCredential)

		for name, wrong := range map[string]*zk.Issuance{
			"label": zk.NewIssuance(nil).Message([]byte("abc")).AddPublic([]byte{1, 2, 3}).
				Add(user).Add(profile).AddPublicNumber(42),
			"message": issuance().Message(nil),
			"public":  issuance().AddPublic(nil),
			"order": zk.NewIssuance(label).Message([]byte("abc")).AddPublic([]byte{1, 2, 3}).
				Add(profile).Add(user).AddPublicNumber(42),
			"attribute": issuance().Add(user),
		} {
			_, err := wrong.Verify(public, proof)
			require.ErrorIs(t, err, zk.ErrVerification, name)
		}
		_, err = issuance().Verify(zk.GenerateCredentialKeyPair(mode, random(sho)).Public(), proof)
		require.ErrorIs(t, err, zk.ErrVerification)

		presentation, err := zk.NewPresentation().Message([]byte("v1")).Add(user, users).Add(profile, profiles).
			Present(public, credential, random(sho))
		require.NoError(t, err)
		presentation = reread(t, presentation, 0, zk.ReadPresentationProof)

		checkPresentation(t, key, presentation, users.Encrypt(user), profiles.Encrypt(profile),
			encryptionPublicKey(t, users), encryptionPublicKey(t, profiles))
	})
}

func checkPresentation(
	t *testing.T, key *zk.CredentialKeyPair, proof zk.PresentationProof, user, profile zk.Attribute,
	users, profiles zk.EncryptionPublicKey,
) {
	t.Helper()
	check := func(message string, number uint64, user, profile zk.Attribute, users zk.EncryptionPublicKey) error {
		return zk.NewPresentationCheck(label).Message([]byte(message)).AddPublic([]byte{1, 2, 3}).
			AddPublicNumber(number).Add(user, users).Add(profile, profiles).Verify(key, proof)
	}
	require.NoError(t, check("v1", 42, user, profile, users))
	require.ErrorIs(t, check("v2", 42, user, profile, users), zk.ErrVerification)
	require.ErrorIs(t, check("v1", 43, user, profile, users), zk.ErrVerification)
	require.ErrorIs(t, check("v1", 42, profile, user, users), zk.ErrVerification)
	other := zk.EncryptionPublicKey{Domain: userDomain, A: profiles.A}
	require.ErrorIs(t, check("v1", 42, user, profile, other), zk.ErrVerification)
	other.A = profiles.A.Neg() // the keys sum up to nothing
	require.ErrorIs(t, check("v1", 42, user, profile, other), zk.ErrVerification)
	short := zk.NewPresentationCheck(label).Message([]byte("v1")).AddPublic([]byte{1, 2, 3}).AddPublicNumber(42)
	require.ErrorIs(t, short.Add(user, users).Verify(key, proof), zk.ErrVerification)
}

func TestPresentationWithoutKey(t *testing.T) {
	eachMode(t, func(t *testing.T, mode zk.Mode) {
		sho := seeded("without key")
		key := keyPair(t, mode, sho)
		user := attribute(sho)
		users := encryptionKeyPair(t, userDomain, sho)
		proof, err := zk.NewIssuance(label).Add(user).Issue(key, random(sho))
		require.NoError(t, err)
		credential, err := zk.NewIssuance(label).Add(user).Verify(key.Public(), proof)
		require.NoError(t, err)
		presentation, err := zk.NewPresentation().AddWithoutKey(user, users).
			Present(key.Public(), credential, random(sho))
		require.NoError(t, err)
		require.NoError(t, zk.NewPresentationCheck(label).AddWithoutKey(users.Encrypt(user), userDomain).
			Verify(key, presentation))
		require.ErrorIs(t, zk.NewPresentationCheck(label).Add(users.Encrypt(user), users.Public()).
			Verify(key, presentation), zk.ErrVerification)

		// One domain has one key, and tells it or not.
		_, err = zk.NewPresentation().AddWithoutKey(user, users).Add(user, users).
			Present(key.Public(), credential, random(sho))
		require.ErrorIs(t, err, zk.ErrArguments)
		_, err = zk.NewPresentation().Add(user, users).Add(user, encryptionKeyPair(t, userDomain, sho)).
			Present(key.Public(), credential, random(sho))
		require.ErrorIs(t, err, zk.ErrArguments)
	})
}

func TestOneKeyForTwoAttributes(t *testing.T) {
	eachMode(t, func(t *testing.T, mode zk.Mode) {
		sho := seeded("one key")
		key := keyPair(t, mode, sho)
		aci, pni := attribute(sho), attribute(sho)
		users := encryptionKeyPair(t, userDomain, sho)
		proof, err := zk.NewIssuance(label).Add(aci).Add(pni).Issue(key, random(sho))
		require.NoError(t, err)
		credential, err := zk.NewIssuance(label).Add(aci).Add(pni).Verify(key.Public(), proof)
		require.NoError(t, err)
		presentation, err := zk.NewPresentation().Add(aci, users).Add(pni, users).
			Present(key.Public(), credential, random(sho))
		require.NoError(t, err)
		require.NoError(t, zk.NewPresentationCheck(label).
			Add(users.Encrypt(aci), users.Public()).Add(users.Encrypt(pni), users.Public()).Verify(key, presentation))
	})
}

func TestBlindedCredential(t *testing.T) {
	eachMode(t, func(t *testing.T, mode zk.Mode) {
		sho := seeded("blinded")
		key := keyPair(t, mode, sho)
		user, profile, id := attribute(sho), attribute(sho), sho.Point()
		blinding := reread(t, zk.GenerateBlindingKeyPair(sho), 32, zk.ReadBlindingKeyPair)
		var blinded []zk.BlindedPoint
		for _, p := range []ristretto.Point{profile[0], profile[1], id} {
			b, nonce := blinding.Blind(p, sho)
			require.True(t, b.D1.Equal(ristretto.BaseMul(nonce)))
			blinded = append(blinded, reread(t, b, 64, zk.ReadBlindedPoint))
		}
		issuance := func() *zk.Issuance { return zk.NewIssuance(label).Add(user).AddBlinded(blinded...) }
		proof, err := issuance().IssueBlinded(key, blinding.Public(), random(sho))
		require.NoError(t, err)
		proof = reread(t, proof, 0, zk.ReadBlindedIssuanceProof)
		credential, err := issuance().VerifyBlinded(key.Public(), blinding, proof)
		require.NoError(t, err)
		_, err = issuance().VerifyBlinded(key.Public(), zk.GenerateBlindingKeyPair(sho), proof)
		require.ErrorIs(t, err, zk.ErrVerification)

		users, profiles := encryptionKeyPair(t, userDomain, sho), encryptionKeyPair(t, profileDomain, sho)
		presentation, err := zk.NewPresentation().Add(user, users).Add(profile, profiles).AddRevealed().
			Present(key.Public(), credential, random(sho))
		require.NoError(t, err)
		check := func(id ristretto.Point) error {
			return zk.NewPresentationCheck(label).Add(users.Encrypt(user), users.Public()).
				Add(profiles.Encrypt(profile), profiles.Public()).AddRevealed(id).Verify(key, presentation)
		}
		require.NoError(t, check(id))
		require.ErrorIs(t, check(user[0]), zk.ErrVerification)
	})
}

func TestTooManyAttributesOrNone(t *testing.T) {
	sho := seeded("too many")
	key := keyPair(t, zk.Standard, sho)
	user, users := attribute(sho), encryptionKeyPair(t, userDomain, sho)
	for _, n := range []int{0, 4} {
		issuance, presentation, check := zk.NewIssuance(label), zk.NewPresentation(), zk.NewPresentationCheck(label)
		for range n {
			issuance.Add(user)
			presentation.Add(user, users)
			check.Add(user, users.Public())
		}
		_, err := issuance.Issue(key, random(sho))
		require.ErrorIs(t, err, zk.ErrArguments)
		_, err = issuance.Verify(key.Public(), zk.IssuanceProof{})
		require.ErrorIs(t, err, zk.ErrArguments)
		_, err = issuance.IssueBlinded(key, ristretto.Base(), random(sho))
		require.ErrorIs(t, err, zk.ErrArguments)
		_, err = issuance.VerifyBlinded(key.Public(), zk.BlindingKeyPair{}, zk.BlindedIssuanceProof{})
		require.ErrorIs(t, err, zk.ErrArguments)
		_, err = presentation.Present(key.Public(), zk.Credential{}, random(sho))
		require.ErrorIs(t, err, zk.ErrArguments)
		require.ErrorIs(t, check.Verify(key, zk.PresentationProof{}), zk.ErrArguments)
	}
}

func TestBlindedAttributesNeedABlindedIssuance(t *testing.T) {
	sho := seeded("needs blinded")
	key := keyPair(t, zk.Standard, sho)
	issuance := zk.NewIssuance(label).AddBlinded(zk.BlindedPoint{})
	_, err := issuance.Issue(key, random(sho))
	require.ErrorIs(t, err, zk.ErrArguments)
	_, err = issuance.Verify(key.Public(), zk.IssuanceProof{})
	require.ErrorIs(t, err, zk.ErrArguments)
}

func TestAttributeEncryption(t *testing.T) {
	sho := seeded("encryption")
	users := encryptionKeyPair(t, userDomain, sho)
	plain := attribute(sho)
	encrypted := reread(t, users.Encrypt(plain), 64, zk.ReadAttribute)
	require.False(t, encrypted.Equal(plain))
	require.True(t, users.FirstPoint(encrypted).Equal(plain[0]))
	second, err := users.SecondPoint(encrypted)
	require.NoError(t, err)
	require.True(t, second.Equal(plain[1]))
	_, err = users.SecondPoint(zk.Attribute{ristretto.Base(), plain[1]})
	require.ErrorIs(t, err, zk.ErrVerification)

	b := users.Append(nil)
	copy(b[64:], encryptionKeyPair(t, userDomain, sho).Public().Append(nil))
	_, _, err = zk.ReadEncryptionKeyPair(userDomain, b)
	require.ErrorIs(t, err, zk.ErrMalformed)
	require.Equal(t, "(attribute encryption key pair)", fmt.Sprintf("%v", users))
}
