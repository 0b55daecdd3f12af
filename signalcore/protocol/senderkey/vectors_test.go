package senderkey

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sessionpb"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// recordedConversation is what the official library made of a sender's messages
// (testdata/interop/vectors/senderkey.mjs).
type recordedConversation struct {
	Name         string
	Distribution uuid.UUID
	Steps        []recordedStep
}

type recordedStep struct {
	Op                 string
	Message, Plaintext hexBytes
	ChainID, Iteration uint32
	Error              string
	// Record is the receiver's after the step; Before and After are the sender's around the sending.
	Record, Before, After hexBytes
}

func recorded(t testing.TB) []recordedConversation {
	data, err := os.ReadFile("../../../testdata/vectors/senderkey.json")
	require.NoError(t, err)
	var vectors struct{ Conversations []recordedConversation }
	require.NoError(t, json.Unmarshal(data, &vectors))
	require.NotEmpty(t, vectors.Conversations)
	return vectors.Conversations
}

// outcomes are the names that the official library's errors have in testdata/interop/sealed/groups.mjs.
var outcomes = map[string]error{
	"": nil, "no key": ErrNoSenderKey, "duplicate": ErrDuplicate, "too far": ErrTooFarAhead,
	"signature": ErrSignature, "malformed": ErrMalformed, "invalid": ErrInvalid,
}

func requireOutcome(t testing.TB, want string, err error) {
	t.Helper()
	kind, known := outcomes[want]
	require.True(t, known, "the official library says %q, we say %v", want, err)
	require.ErrorIs(t, err, kind)
}

func parse(t testing.TB, stored []byte) Record {
	t.Helper()
	r, err := ParseRecord(stored)
	require.NoError(t, err)
	return r
}

func TestRecordedConversations(t *testing.T) {
	for _, c := range recorded(t) {
		t.Run(c.Name, func(t *testing.T) {
			stored := []byte{}
			for _, s := range c.Steps {
				stored = s.receive(t, c.Distribution, stored)
				require.Equal(t, []byte(s.Record), stored)
				requireOracle(t, stored)
			}
		})
	}
}

func (s recordedStep) receive(t *testing.T, distribution uuid.UUID, stored []byte) []byte {
	before := parse(t, stored)
	var after Record
	var plaintext []byte
	var err error
	if s.Op == "process" {
		var id uuid.UUID
		id, after, err = ProcessDistribution(s.Message, before)
		require.NoError(t, err)
		require.Equal(t, distribution, id)
		d, err := ParseDistribution(s.Message)
		require.NoError(t, err)
		require.Equal(t, []any{s.ChainID, s.Iteration}, []any{d.ChainID, d.Iteration})
	} else {
		plaintext, after, err = Decrypt(before, s.Message)
		requireOutcome(t, s.Error, err)
	}
	require.Equal(t, stored, before.Serialize(), "the caller's record is untouched")
	if err != nil {
		return stored
	}
	require.True(t, bytes.Equal(s.Plaintext, plaintext))
	return after.Serialize()
}

// requireOracle reads a stored record with the generated code.
func requireOracle(t testing.TB, stored []byte) {
	t.Helper()
	var pb sessionpb.SenderKeyRecord
	require.NoError(t, proto.Unmarshal(stored, &pb))
	again, err := proto.MarshalOptions{Deterministic: true}.Marshal(&pb)
	require.NoError(t, err)
	require.True(t, bytes.Equal(stored, again))
	for _, s := range pb.GetStates() {
		require.EqualValues(t, messageVersion, s.GetMessageVersion())
	}
}

// TestRecordedSendersContinue encrypts from the official library's records what it did: the same but for the signature,
// which is random.
func TestRecordedSendersContinue(t *testing.T) {
	for _, c := range recorded(t) {
		for _, s := range c.Steps {
			if s.Op == "process" || s.Error != "" {
				continue
			}
			before := parse(t, s.Before)
			require.True(t, before.Owned())
			sealed, after, err := Encrypt(seeded(1), before, c.Distribution, s.Plaintext)
			require.NoError(t, err)
			end := len(sealed) - curve.SignatureSize
			require.Equal(t, []byte(s.Message[:end]), sealed[:end])
			require.Equal(t, []byte(s.After), after.Serialize())
			require.Equal(t, []byte(s.Before), before.Serialize())
		}
	}
}
