package ratchet

import (
	"bytes"
	cryptorand "crypto/rand"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
	"signalbox/signalcore/protocol/pqxdh"
	"signalbox/signalcore/signalpb/sessionpb"
)

func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func pair(t testing.TB) (State, State) {
	ours, err := curve.GenerateKeyPair(random(1))
	require.NoError(t, err)
	keys := pqxdh.Keys{Root: [32]byte{1}, Chain: [32]byte{2}, PostQuantum: [32]byte{3}}
	alice, err := NewInitiator(random(2), keys, ours.Public, false)
	require.NoError(t, err)
	bob, err := NewRecipient(keys, ours, false)
	require.NoError(t, err)
	return alice, bob
}

// pass sends a message; both must get the same keys.
func pass(t testing.TB, from, to State) (State, State) {
	next, header, keys, err := from.Send(cryptorand.Reader)
	require.NoError(t, err)
	got, received, err := to.Receive(header, false)
	require.NoError(t, err)
	require.Equal(t, keys, received)
	return next, got
}

// TestMessageKeys has the numbers of libsignal's own test (ratchet/keys.rs).
func TestMessageKeys(t *testing.T) {
	unhex := func(text string) [32]byte {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		return [32]byte(b)
	}
	chain := kdfchain.Chain{Key: unhex("8ab72d6f4cc5ac0d387eaf463378ddb28edd07385b1cb01250c715982e7ad48f")}
	keys, err := deriveMessageKeys(chain.Seed(), nil)
	require.NoError(t, err)
	require.Equal(t, unhex("bf51e9d75e0e31031051f82a2491ffc084fa298b7793bd9db620056febf45217"), keys.Cipher)
	require.Equal(t, unhex("c6c77d6a73a354337a56435e34607dfe48e3ace14e77314dc6abc172e7a7030b"), keys.MAC)
	mixed, err := deriveMessageKeys(chain.Seed(), []byte("post-quantum"))
	require.NoError(t, err)
	require.NotEqual(t, keys, mixed)
}

func TestStatesAreValues(t *testing.T) {
	alice, bob := pair(t)
	alice, bob = pass(t, alice, bob)
	_, skippedHeader, _, err := alice.Send(random(3))
	require.NoError(t, err)
	next, _, _, err := alice.Send(random(3))
	require.NoError(t, err)
	_, header, _, err := next.Send(random(4))
	require.NoError(t, err)

	before := bob.Serialize()
	for _, h := range []Header{header, skippedHeader} {
		_, _, err = bob.Receive(h, false)
		require.NoError(t, err)
		h.PostQuantum = []byte{1}
		_, _, err = bob.Receive(h, false)
		require.ErrorIs(t, err, ErrMessage)
	}
	header.RatchetKey[0] ^= 1
	_, _, _ = bob.Receive(header, false)
	require.Equal(t, before, bob.Serialize())
}

func TestStoredStateIsTheState(t *testing.T) {
	alice, bob := pair(t)
	for range 12 {
		alice, bob = pass(t, alice, bob)
		alice, bob = pass(t, alice, bob)
		bob, alice = pass(t, bob, alice)
		for _, s := range []*State{&alice, &bob} {
			var pb sessionpb.Ratchet
			require.NoError(t, proto.Unmarshal(s.Serialize(), &pb))
			again, err := FromProto(&pb)
			require.NoError(t, err)
			require.Equal(t, s.Serialize(), again.Serialize())
			*s = again
		}
	}
	require.Len(t, alice.receiving, MaxChains)
}

func TestUnknownRatchetKeyBeforeWeSend(t *testing.T) {
	alice, bob := pair(t)
	alice, bob = pass(t, alice, bob)
	require.False(t, bob.RatchetKeyMatches(curve.PublicKey{}))
	_, header, _, err := alice.Send(random(5))
	require.NoError(t, err)
	require.True(t, alice.RatchetKeyMatches(header.RatchetKey))
	header.RatchetKey[3] ^= 1
	_, _, err = bob.Receive(header, false)
	require.ErrorIs(t, err, ErrMessage)
}

func TestLowOrderRatchetKeyIsTheMessagesFault(t *testing.T) {
	_, bob := pair(t)
	_, _, err := bob.Receive(Header{}, false)
	require.ErrorIs(t, err, ErrMessage)
	require.ErrorIs(t, err, curve.ErrNoAgreement)
}

func TestUsedUpChain(t *testing.T) {
	alice, _ := pair(t)
	alice.sending.chain.Index = math.MaxUint32
	_, _, _, err := alice.Send(random(1))
	require.ErrorIs(t, err, ErrExhausted)
}

func TestNoRandomness(t *testing.T) {
	alice, bob := pair(t)
	alice, bob = pass(t, alice, bob)
	_, _, _, err := bob.Send(bytes.NewReader(nil))
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrCorrupt)
	_, _ = alice, bob
}
