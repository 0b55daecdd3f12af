package session

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
)

// recordedStart is a session that the official library opened, with all secrets of its recipient
// (testdata/interop/vectors/session.mjs).
type recordedStart struct {
	Name  string
	Order []int
	Alice struct {
		Address        recordedAddress
		RegistrationID uint32
		Identity       recordedHex
	}
	Bob struct {
		Address         recordedAddress
		RegistrationID  uint32
		Identity        recordedHex
		OneTimeID       *uint32
		OneTime         recordedHex
		SignedID        uint32
		Signed          recordedHex
		SignedSignature recordedHex
		KyberID         uint32
		Kyber           []byte
		KyberPublic     []byte
		KyberSignature  recordedHex
	}
	Messages []struct {
		Plaintext  []byte
		Type       Type
		Ciphertext []byte
		Retry      []byte
	}
}

type recordedHex []byte

func (h *recordedHex) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type recordedAddress struct{ serviceid.Address }

func (a *recordedAddress) UnmarshalJSON(b []byte) error {
	var name string
	if err := json.Unmarshal(b, &[]any{&name, &a.DeviceID}); err != nil {
		return err
	}
	var err error
	a.ServiceID, err = serviceid.Parse(name)
	return err
}

func recordedStarts(t testing.TB) []recordedStart {
	data, err := os.ReadFile("../../../testdata/vectors/session.json")
	require.NoError(t, err)
	var vectors struct{ Starts []recordedStart }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors.Starts)
	return vectors.Starts
}

// recipient returns the party that the recorded messages are for.
func (s *recordedStart) recipient(t testing.TB) *party {
	private := func(b []byte) curve.KeyPair {
		key, err := curve.ParsePrivateKey(b)
		require.NoError(t, err)
		return key.KeyPair()
	}
	secret, err := kem.ParseSecretKey(s.Bob.Kyber)
	require.NoError(t, err)
	public, err := kem.ParsePublicKey(s.Bob.KyberPublic)
	require.NoError(t, err)
	bob := &party{
		t: t, rand: seeded(1), address: s.Bob.Address.Address,
		local:  Local{Identity: private(s.Bob.Identity), RegistrationID: s.Bob.RegistrationID},
		signed: prekey.Signed{ID: s.Bob.SignedID, Keys: private(s.Bob.Signed)},
		kyber: map[uint32]prekey.Kyber{
			s.Bob.KyberID: {ID: s.Bob.KyberID, Keys: kem.KeyPair{Secret: secret, Public: public}},
		},
		oneTime: map[uint32]prekey.EC{},
	}
	bundle := prekey.Bundle{
		Identity: bob.local.Identity.Public,
		Signed:   prekey.PublicSigned{Key: bob.signed.Keys.Public, Signature: s.Bob.SignedSignature},
		Kyber:    prekey.PublicKyber{Key: public, Signature: s.Bob.KyberSignature},
	}
	require.NoError(t, bundle.Verify())
	if s.Bob.OneTimeID != nil {
		bob.oneTime[*s.Bob.OneTimeID] = prekey.EC{ID: *s.Bob.OneTimeID, Keys: private(s.Bob.OneTime)}
	}
	return bob
}

func TestRecordedStarts(t *testing.T) {
	for _, s := range recordedStarts(t) {
		t.Run(s.Name, func(t *testing.T) {
			bob, alice := s.recipient(t), s.Alice.Address.Address
			for _, i := range s.Order {
				m := s.Messages[i]
				got, err := bob.decrypt(alice, sent{m.Type, m.Ciphertext})
				require.NoError(t, err)
				require.Equal(t, string(m.Plaintext), got)
				_, err = bob.decrypt(alice, sent{m.Type, m.Ciphertext})
				require.ErrorIs(t, err, ErrDuplicate)
				bob.restart()
			}
			require.Empty(t, bob.oneTime)
			require.Empty(t, bob.kyber)
			identity, err := bob.record.RemoteIdentity()
			require.NoError(t, err)
			require.Equal(t, []byte(s.Alice.Identity), identity.Serialize())
			id, err := bob.record.RemoteRegistrationID()
			require.NoError(t, err)
			require.Equal(t, s.Alice.RegistrationID, id)
		})
	}
}

func TestRecordedRetryRequests(t *testing.T) {
	for _, s := range recordedStarts(t) {
		for i, m := range s.Messages {
			want, err := NewDecryptionError(m.Ciphertext, m.Type, 1_700_000_000_000+uint64(i), 3)
			require.NoError(t, err)
			require.Equal(t, m.Retry, want.Plaintext())
			got, err := DecryptionErrorIn(m.Retry)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

// transcript is a conversation with the official library, in which all our randomness came from a seed: the same
// messages of theirs then fit the same messages of ours. TestTranscript records it where RECORD_TRANSCRIPT is set.
type transcript struct {
	Bundle peerBundle
	Theirs []recordedMessage // in the order of arrival, one after each of ours
	Ours   []string          // SHA-256 of each message of ours
}

type recordedMessage struct {
	Type       Type
	Ciphertext []byte
}
