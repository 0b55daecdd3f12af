package session

import (
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/sessionpb"
)

func TestMalformedMessages(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	var whole sessionpb.PreKeySignalMessage
	require.NoError(t, proto.Unmarshal(first.ciphertext[1:], &whole))
	for name, change := range map[string]func(*sessionpb.PreKeySignalMessage){
		"no message":          func(m *sessionpb.PreKeySignalMessage) { m.Message = nil },
		"no base key":         func(m *sessionpb.PreKeySignalMessage) { m.BaseKey = nil },
		"no identity":         func(m *sessionpb.PreKeySignalMessage) { m.IdentityKey = m.IdentityKey[1:] },
		"no signed prekey":    func(m *sessionpb.PreKeySignalMessage) { m.SignedPreKeyId = nil },
		"no Kyber prekey":     func(m *sessionpb.PreKeySignalMessage) { m.KyberPreKeyId = nil },
		"no Kyber ciphertext": func(m *sessionpb.PreKeySignalMessage) { m.KyberCiphertext = nil },
		"neither of them":     func(m *sessionpb.PreKeySignalMessage) { m.KyberCiphertext, m.KyberPreKeyId = nil, nil },
		"short message":       func(m *sessionpb.PreKeySignalMessage) { m.Message = m.Message[:8] },
		"short ciphertext":    func(m *sessionpb.PreKeySignalMessage) { m.KyberCiphertext = []byte{8} },
	} {
		t.Run(name, func(t *testing.T) {
			m := proto.Clone(&whole).(*sessionpb.PreKeySignalMessage)
			change(m)
			b, err := proto.Marshal(m)
			require.NoError(t, err)
			_, err = bob.decrypt(alice.address, sent{TypePreKey, append([]byte{0x44}, b...)})
			require.ErrorIs(t, err, ErrMalformed)
		})
	}
	for _, m := range []*sessionpb.SignalMessage{
		{}, {RatchetKey: []byte{5}, Counter: new(uint32), Ciphertext: []byte{1}},
		{RatchetKey: alice.local.Identity.Public.Serialize(), Ciphertext: []byte{1}},
		{RatchetKey: alice.local.Identity.Public.Serialize(), Counter: new(uint32)},
	} {
		b, err := proto.Marshal(m)
		require.NoError(t, err)
		_, err = ParseMessage(append(append([]byte{0x44}, b...), make([]byte, 8)...))
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err := ParsePreKeyMessage(nil)
	require.ErrorIs(t, err, ErrMalformed)
}

func TestVersions(t *testing.T) {
	alice, bob := pair(t)
	first := alice.encrypt(bob.address, "first")
	say(alice, bob, "to answer")
	say(bob, alice, "answer")
	second := alice.encrypt(bob.address, "second")
	for _, m := range []sent{first, second} {
		for version, want := range map[byte]error{0x23: ErrVersion, 0x34: ErrInvalid, 0x54: ErrVersion} {
			m.ciphertext[0] = version
			_, err := bob.decrypt(alice.address, m)
			require.ErrorIs(t, err, want)
			// The sender of a message of version 3 can be asked to open a new session.
			_, err = NewDecryptionError(m.ciphertext, m.kind, 1, 1)
			require.Equal(t, version == 0x34, err == nil)
		}
	}
}

func TestDecryptionErrors(t *testing.T) {
	_, err := NewDecryptionError(nil, TypePlaintext, 1, 1)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = NewDecryptionError(nil, TypeMessage, 1, 1)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = NewDecryptionError(nil, TypePreKey, 1, 1)
	require.ErrorIs(t, err, ErrMalformed)
	groups, err := NewDecryptionError(nil, TypeSenderKey, 7, 2)
	require.NoError(t, err)
	again, err := ParseDecryptionError(groups.Serialize())
	require.NoError(t, err)
	require.Equal(t, groups, again)
	for _, b := range [][]byte{nil, {0xc0}, {0xc1, 0x80}, {0xc0, 0x80}, {0xc0, 0xff, 0x80}, {0xc0, 0x42, 0, 0x80}} {
		_, err := DecryptionErrorIn(b)
		require.ErrorIs(t, err, ErrMalformed)
	}
	content, err := ParsePlaintext(groups.Plaintext())
	require.NoError(t, err)
	require.Equal(t, byte(0x80), content[len(content)-1])
}
