package zkcredential_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
	zk "signalbox/signalcore/protocol/zkcredential"
)

// rewritten requires that what was read is written as it was.
func rewritten[T interface{ Append([]byte) []byte }](
	t *testing.T, b []byte, read func([]byte) (T, []byte, error),
) (T, bool) {
	t.Helper()
	value, rest, err := read(b)
	if err != nil {
		require.ErrorIs(t, err, zk.ErrMalformed)
		return value, false
	}
	require.Equal(t, b, append(value.Append([]byte{}), rest...))
	return value, true
}

// FuzzRead gives bytes from outside to every parser, and what they read to what verifies it.
func FuzzRead(f *testing.F) {
	sho := seeded("fuzz")
	key := zk.GenerateCredentialKeyPair(zk.Standard, random(sho))
	users := zk.DeriveEncryptionKeyPair(userDomain, sho)
	user := attribute(sho)
	blinding := zk.GenerateBlindingKeyPair(sho)
	blinded, _ := blinding.Blind(user[0], sho)
	endorsement := zk.GenerateEndorsementRootKeyPair(random(sho)).DeriveKey(sho)
	issued, _ := zk.NewIssuance(label).Add(user).Issue(key, random(sho))
	issuedBlinded, _ := zk.NewIssuance(label).AddBlinded(blinded).IssueBlinded(key, blinding.Public(), random(sho))
	credential, _ := zk.NewIssuance(label).Add(user).Verify(key.Public(), issued)
	presented, _ := zk.NewPresentation().Add(user, users).Present(key.Public(), credential, random(sho))
	endorsed, _ := zk.IssueEndorsements(user[:], endorsement, random(sho))
	for _, each := range []interface{ Append([]byte) []byte }{
		key, key.Public(), users, users.Public(), user, blinding, blinded, endorsement, issued, issuedBlinded, credential,
		presented, endorsed,
	} {
		f.Add(each.Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, mode := range []zk.Mode{zk.Standard, zk.Legacy} {
			rewritten(t, b, func(b []byte) (*zk.CredentialKeyPair, []byte, error) { return zk.ReadCredentialKeyPair(mode, b) })
			rewritten(t, b, func(b []byte) (*zk.CredentialPublicKey, []byte, error) {
				return zk.ReadCredentialPublicKey(mode, b)
			})
		}
		rewritten(t, b, func(b []byte) (zk.EncryptionKeyPair, []byte, error) {
			return zk.ReadEncryptionKeyPair(userDomain, b)
		})
		rewritten(t, b, func(b []byte) (zk.EncryptionPublicKey, []byte, error) {
			return zk.ReadEncryptionPublicKey(userDomain, b)
		})
		rewritten(t, b, zk.ReadBlindingKeyPair)
		rewritten(t, b, zk.ReadEndorsementKeyPair)
		rewritten(t, b, zk.ReadEndorsementRootKeyPair)
		rewritten(t, b, zk.ReadEndorsementRootPublicKey)
		rewritten(t, b, zk.ReadCredential)
		if a, ok := rewritten(t, b, zk.ReadAttribute); ok {
			_, _ = users.SecondPoint(a)
		}
		if p, ok := rewritten(t, b, zk.ReadBlindedPoint); ok {
			_, _ = zk.NewIssuance(label).AddBlinded(p).IssueBlinded(key, p.D1, random(seeded("")))
		}
		if p, ok := rewritten(t, b, zk.ReadIssuanceProof); ok {
			_, err := zk.NewIssuance(label).Add(user).Verify(key.Public(), p)
			require.True(t, err == nil || errors.Is(err, zk.ErrVerification))
		}
		if p, ok := rewritten(t, b, zk.ReadBlindedIssuanceProof); ok {
			_, err := zk.NewIssuance(label).AddBlinded(blinded).VerifyBlinded(key.Public(), blinding, p)
			require.True(t, err == nil || errors.Is(err, zk.ErrVerification))
		}
		if p, ok := rewritten(t, b, zk.ReadPresentationProof); ok {
			err := zk.NewPresentationCheck(label).Add(users.Encrypt(user), users.Public()).Verify(key, p)
			require.True(t, err == nil || errors.Is(err, zk.ErrVerification))
		}
		if e, ok := rewritten(t, b, zk.ReadEndorsementResponse); ok && e.Len() < 100 {
			_, err := e.Receive(append([]ristretto.Point{}, user[:]...), endorsement.Public())
			require.True(t, err == nil || errors.Is(err, zk.ErrVerification))
		}
		if e, err := zk.ParseEndorsement(b); err == nil {
			encoded := e.Compress()
			require.Equal(t, b, encoded[:])
		}
	})
}
