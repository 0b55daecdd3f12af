package zkcredential_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
	zk "signalbox/signalcore/protocol/zkcredential"
)

func TestEndorsements(t *testing.T) {
	for _, n := range []int{1, 2, 3, 10} {
		sho := seeded("endorsements")
		root := reread(t, zk.GenerateEndorsementRootKeyPair(random(sho)), 32, zk.ReadEndorsementRootKeyPair)
		tag := seeded("tag")
		key := reread(t, root.DeriveKey(tag), 64, zk.ReadEndorsementKeyPair)
		public := reread(t, root.Public(), 32, zk.ReadEndorsementRootPublicKey).DeriveKey(tag)
		wrong := root.DeriveKey(seeded("another tag"))

		blinding := sho.Scalar()
		decryption := zk.NewEndorsementDecryptionKey(blinding)
		var plain, hidden []ristretto.Point
		var sum ristretto.Point
		for range n {
			p := sho.Point()
			plain, hidden, sum = append(plain, p), append(hidden, p.Mul(blinding)), sum.Add(p)
		}
		response, err := zk.IssueEndorsements(hidden, key, random(sho))
		require.NoError(t, err)
		response = reread(t, response, 8+32*n+8+64, zk.ReadEndorsementResponse)
		require.Equal(t, n, response.Len())
		received, err := response.Receive(hidden, public)
		require.NoError(t, err)

		var all []zk.Endorsement
		for i, r := range received {
			require.Equal(t, r.Compressed, r.Endorsement.Compress())
			parsed, err := zk.ParseEndorsement(r.Compressed[:])
			require.NoError(t, err)
			token := parsed.Token(decryption)
			require.NoError(t, key.VerifyToken(plain[i], token[:]))
			require.ErrorIs(t, key.VerifyToken(ristretto.Base(), token[:]), zk.ErrVerification)
			require.ErrorIs(t, key.VerifyToken(plain[i], token[:15]), zk.ErrVerification)
			require.ErrorIs(t, wrong.VerifyToken(plain[i], token[:]), zk.ErrVerification)
			all = append(all, r.Endorsement)
		}
		combined := zk.CombineEndorsements(all...)
		token := combined.Token(decryption)
		require.NoError(t, key.VerifyToken(sum, token[:]))
		token = combined.Remove(all[0]).Token(decryption)
		require.NoError(t, key.VerifyToken(sum.Sub(plain[0]), token[:]))
		require.Equal(t, zk.Endorsement{}.Compress(), all[0].Remove(all[0]).Compress())
		require.Equal(t, zk.Endorsement{}.Compress(), zk.CombineEndorsements().Compress())

		refusedEndorsements(t, response, hidden, plain, public, wrong.Public())
	}
}

func refusedEndorsements(
	t *testing.T, response zk.EndorsementResponse, hidden, plain []ristretto.Point, public, wrong zk.EndorsementPublicKey,
) {
	t.Helper()
	_, err := response.Receive(hidden[1:], public)
	require.ErrorIs(t, err, zk.ErrVerification)
	_, err = response.Receive(plain, public)
	require.ErrorIs(t, err, zk.ErrVerification)
	_, err = response.Receive(hidden, wrong)
	require.ErrorIs(t, err, zk.ErrVerification)
	b := response.Append(nil)
	b[8] ^= 2 // another point, or none
	bad, _, err := zk.ReadEndorsementResponse(b)
	require.NoError(t, err)
	_, err = bad.Receive(hidden, public)
	require.ErrorIs(t, err, zk.ErrVerification)
}

func TestNoEndorsements(t *testing.T) {
	sho := seeded("none")
	key := zk.GenerateEndorsementRootKeyPair(random(sho)).DeriveKey(sho)
	_, err := zk.IssueEndorsements(nil, key, random(sho))
	require.ErrorIs(t, err, zk.ErrArguments)
	_, err = zk.EndorsementResponse{}.Receive(nil, key.Public())
	require.ErrorIs(t, err, zk.ErrVerification)
	_, err = zk.ParseEndorsement(make([]byte, 31))
	require.ErrorIs(t, err, zk.ErrMalformed)
}

func TestDecryptionKeyOfAttributes(t *testing.T) {
	sho := seeded("attributes")
	users := zk.DeriveEncryptionKeyPair(userDomain, sho)
	user := attribute(sho)
	key := zk.GenerateEndorsementRootKeyPair(random(sho)).DeriveKey(sho)
	hidden := []ristretto.Point{users.Encrypt(user)[0]}
	response, err := zk.IssueEndorsements(hidden, key, random(sho))
	require.NoError(t, err)
	received, err := response.Receive(hidden, key.Public())
	require.NoError(t, err)
	token := received[0].Endorsement.Token(users.EndorsementDecryptionKey())
	require.NoError(t, key.VerifyToken(user[0], token[:]))
}
