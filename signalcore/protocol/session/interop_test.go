package session

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

func TestConversationsWithTheOfficialLibrary(t *testing.T) {
	p := startPeer(t)
	late, twice := 0, 0
	for seed := range uint64(24) {
		c := converse(t, p, script{
			seed: seed, length: 80, loss: 20, duplicates: 10, reorder: 30,
			resets: int(seed%2) * 30, opener: opener(seed % 3),
		})
		late, twice = late+c.late, twice+c.twice
	}
	require.NotZero(t, late)
	require.NotZero(t, twice)
}

// epochOf reads the epoch of the post-quantum ratchet that a message takes part in: a varint behind its version byte.
func epochOf(t *testing.T, m sent) uint64 {
	message, err := ParseMessage(m.ciphertext)
	require.NoError(t, err)
	require.NotEmpty(t, message.header.PostQuantum)
	require.Equal(t, byte(1), message.header.PostQuantum[0])
	epoch, n := binary.Uvarint(message.header.PostQuantum[1:])
	require.Positive(t, n)
	return epoch
}

func TestManyPostQuantumEpochs(t *testing.T) {
	p := startPeer(t)
	for _, opener := range []opener{weOpen, theyOpen} {
		c := &conversation{ours: newParty(t, 77+uint64(opener)), random: rand.New(rand.NewPCG(1, 1))}
		c.theirs = p.device("epochs", serviceid.Address{ServiceID: serviceid.NewACI(uuid.UUID{1: 1}), DeviceID: 2})
		if c.reset(opener == weOpen); opener == weOpen {
			_, err := c.theirs.decrypt(c.ours, c.ours.encrypt(c.theirs.address, "hello"))
			require.NoError(t, err)
		} else {
			_, err := c.ours.decrypt(c.theirs.address, c.theirs.encrypt(c.ours, "hello"))
			require.NoError(t, err)
			_, err = c.theirs.decrypt(c.ours, c.ours.encrypt(c.theirs.address, "hello"))
			require.NoError(t, err)
		}
		epoch, count := uint64(0), 0
		for ; epoch < 11; count++ {
			require.Less(t, count, 3000)
			c.ours.restart()
			m := c.theirs.encrypt(c.ours, "ping")
			epoch = max(epoch, epochOf(t, m))
			_, err := c.ours.decrypt(c.theirs.address, m)
			require.NoError(t, err)
			m = c.ours.encrypt(c.theirs.address, "pong")
			epoch = max(epoch, epochOf(t, m))
			_, err = c.theirs.decrypt(c.ours, m)
			require.NoError(t, err)
		}
		t.Logf("%d messages each way to epoch %d", count, epoch)
	}
}

func TestPrimitivesAgainstTheOfficialLibrary(t *testing.T) {
	p := startPeer(t)
	random := seeded(5)
	for i := range 32 {
		mine, err := curve.GenerateKeyPair(random)
		require.NoError(t, err)
		other, err := curve.GenerateKeyPair(random)
		require.NoError(t, err)
		message := make([]byte, i*3)
		signature, err := mine.Private.Sign(random, message)
		require.NoError(t, err)
		for _, spoil := range []byte{0, 1, 0x20, 0x80} {
			given := signature
			given[63] ^= spoil
			theirs := p.must("verify", fields{
				"publicKey": mine.Public.Serialize(), "message": message, "signature": given[:],
			})
			require.Equal(t, spoil == 0, theirs.Valid)
			require.Equal(t, theirs.Valid, mine.Public.Verify(message, given[:]))
		}
		theirs := p.must("sign", fields{"privateKey": mine.Private[:], "message": message})
		require.True(t, mine.Public.Verify(message, theirs.Signature))

		signature, err = mine.Private.SignAlternateIdentity(random, other.Public)
		require.NoError(t, err)
		require.True(t, p.must("verifyAlternate", fields{
			"publicKey": mine.Public.Serialize(), "other": other.Public.Serialize(), "signature": signature[:],
		}).Valid)
		theirs = p.must("signAlternate", fields{"privateKey": mine.Private[:], "other": other.Public.Serialize()})
		require.True(t, mine.Public.VerifyAlternateIdentity(other.Public, theirs.Signature))
	}
}

func TestRetryRequestsWithTheOfficialLibrary(t *testing.T) {
	p := startPeer(t)
	ours := newParty(t, 9)
	d := p.device("retry", serviceid.Address{ServiceID: serviceid.NewACI(uuid.UUID{1: 3}), DeviceID: 3})
	ours.open(d.address, d.bundle(true))
	first := ours.encrypt(d.address, "first")
	_, err := d.decrypt(ours, first)
	require.NoError(t, err)
	_, err = ours.decrypt(d.address, d.encrypt(ours, "answer"))
	require.NoError(t, err)
	second := ours.encrypt(d.address, "second")
	require.Equal(t, TypeMessage, second.kind)

	for _, m := range []sent{first, second, {TypeSenderKey, []byte("any")}} {
		mine, err := NewDecryptionError(m.ciphertext, m.kind, 123456, 3)
		require.NoError(t, err)
		r := p.must("retry", fields{"type": m.kind, "ciphertext": m.ciphertext, "timestamp": 123456, "device": 3})
		require.Equal(t, r.Serialized, mine.Serialize())
		require.Equal(t, r.Plaintext, mine.Plaintext())
		r = p.must("parseRetry", fields{"plaintext": mine.Plaintext()})
		require.Equal(t, uint64(123456), r.Timestamp)
		require.Equal(t, uint32(3), r.Device)
		var key []byte
		if mine.RatchetKey != nil {
			key = mine.RatchetKey.Serialize()
		}
		require.Equal(t, key, r.Key)
	}
	// The session knows which message it sent with its current key; so does the library's.
	for i, m := range []sent{first, second} {
		request, err := NewDecryptionError(m.ciphertext, m.kind, 1, 3)
		require.NoError(t, err)
		require.Equal(t, i == 1, ours.record.RatchetKeyMatches(*request.RatchetKey))
	}
	m := d.encrypt(ours, "third")
	request, err := NewDecryptionError(m.ciphertext, m.kind, 1, 1)
	require.NoError(t, err)
	require.True(t, d.must("matches", d.args(ours, fields{"key": request.RatchetKey.Serialize()})).Matches)
}
