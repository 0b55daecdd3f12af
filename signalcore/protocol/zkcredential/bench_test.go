package zkcredential_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
	zk "signalbox/signalcore/protocol/zkcredential"
)

// BenchmarkCredential has two encrypted attributes, as the credential for group authentication has.
func BenchmarkCredential(b *testing.B) {
	sho := seeded("bench")
	key := zk.GenerateCredentialKeyPair(zk.Legacy, random(sho))
	users := zk.DeriveEncryptionKeyPair(userDomain, sho)
	aci, pni, r := attribute(sho), attribute(sho), random(sho)
	issued, err := zk.NewIssuance(label).AddPublicNumber(1).Add(aci).Add(pni).Issue(key, r)
	require.NoError(b, err)
	credential, err := zk.NewIssuance(label).AddPublicNumber(1).Add(aci).Add(pni).Verify(key.Public(), issued)
	require.NoError(b, err)
	presented, err := zk.NewPresentation().Add(aci, users).Add(pni, users).Present(key.Public(), credential, r)
	require.NoError(b, err)
	aciEncrypted, pniEncrypted := users.Encrypt(aci), users.Encrypt(pni)

	for name, run := range map[string]func(){
		"Issue": func() { _, _ = zk.NewIssuance(label).AddPublicNumber(1).Add(aci).Add(pni).Issue(key, r) },
		"Verify": func() {
			_, _ = zk.NewIssuance(label).AddPublicNumber(1).Add(aci).Add(pni).Verify(key.Public(), issued)
		},
		"Present": func() {
			_, _ = zk.NewPresentation().Add(aci, users).Add(pni, users).Present(key.Public(), credential, r)
		},
		"Check": func() {
			_ = zk.NewPresentationCheck(label).AddPublicNumber(1).Add(aciEncrypted, users.Public()).
				Add(pniEncrypted, users.Public()).Verify(key, presented)
		},
		"Encrypt": func() { users.Encrypt(aci) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				run()
			}
		})
	}
}

func BenchmarkEndorsements(b *testing.B) {
	sho := seeded("bench")
	key := zk.GenerateEndorsementRootKeyPair(random(sho)).DeriveKey(sho)
	decryption := zk.NewEndorsementDecryptionKey(sho.Scalar())
	var points []ristretto.Point
	for range 1000 {
		points = append(points, sho.Point())
	}
	for _, n := range []int{10, 100, 1000} {
		response, err := zk.IssueEndorsements(points[:n], key, random(sho))
		require.NoError(b, err)
		b.Run(fmt.Sprint("Receive/", n), func(b *testing.B) {
			for b.Loop() {
				_, _ = response.Receive(points[:n], key.Public())
			}
		})
		b.Run(fmt.Sprint("Issue/", n), func(b *testing.B) {
			for b.Loop() {
				_, _ = zk.IssueEndorsements(points[:n], key, random(sho))
			}
		})
	}
	one, _ := zk.IssueEndorsements(points[:1], key, random(sho))
	received, err := one.Receive(points[:1], key.Public())
	require.NoError(b, err)
	b.Run("Token", func(b *testing.B) {
		for b.Loop() {
			received[0].Endorsement.Token(decryption)
		}
	})
}
