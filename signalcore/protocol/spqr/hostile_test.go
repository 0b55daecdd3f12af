package spqr

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/spqrpb"
)

// states returns a state of each phase, from a conversation with losses, and the messages that were sent.
func states(t testing.TB) (states map[spqrpb.Phase]State, messages [][]byte) {
	states = map[spqrpb.Phase]State{}
	parties := newParties(t, strict, 77)
	random := rand.New(newRandom(78))
	for range 2000 {
		from := random.IntN(2)
		out := parties[from].send(t)
		messages = append(messages, out.message)
		if random.IntN(3) > 0 {
			parties[1-from].receive(t, out)
		}
		for _, p := range parties {
			states[p.parsed(t).braid.toProto().Phase] = p.state
		}
	}
	require.Equal(t, 11, len(states))
	return states, messages
}

// transcript has a hand in the messages of a lossless conversation, and returns the first error.
func transcript(t *testing.T, change func(m *message)) error {
	parties := newParties(t, strict, 5)
	for range 150 {
		for from := range 2 {
			out := parties[from].send(t)
			m, err := parseMessage(out.message)
			require.NoError(t, err)
			change(&m)
			before := bytes.Clone(parties[1-from].state)
			received, err := Recv(parties[1-from].state, m.marshal())
			require.Equal(t, before, []byte(parties[1-from].state))
			if err != nil {
				return err
			}
			parties[1-from].state = received.State
		}
	}
	return nil
}

// TestForgedChunks changes one bit of one chunk of each kind of key material: it must be noticed.
func TestForgedChunks(t *testing.T) {
	for _, kind := range []payloadKind{headerChunk, keyChunk, keyChunkAndAck, ct1Chunk, ct2Chunk} {
		for _, at := range []int{0, 31} {
			done := false
			err := transcript(t, func(m *message) {
				if m.payload.kind == kind && !done {
					m.payload.chunk.Data[at] ^= 0x10
					done = true
				}
			})
			require.True(t, done)
			require.ErrorIs(t, err, ErrAuthentication, kind)
		}
	}
	require.NoError(t, transcript(t, func(*message) {}))
}

func TestEpochAhead(t *testing.T) {
	var outOfRange *EpochError
	byPhase, _ := states(t)
	for phase, state := range byPhase {
		epoch := (&party{state: state}).parsed(t).braid.epoch
		for _, ahead := range []uint64{1, 2, 1 << 40} {
			m := message{epoch + ahead, 1, payload{kind: ack}}
			_, err := Recv(state, m.marshal())
			if phase == spqrpb.Phase_PHASE_CT2_SAMPLED && ahead == 1 {
				require.NoError(t, err)
				continue
			}
			require.ErrorAs(t, err, &outOfRange, phase)
		}
	}
}

type brokenRandom struct{ left int }

var errBroken = errors.New("no randomness")

func (r *brokenRandom) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, errBroken
	}
	n := min(len(b), r.left)
	r.left -= n
	return n, nil
}

func TestRandomnessFails(t *testing.T) {
	byPhase, _ := states(t)
	for _, phase := range []spqrpb.Phase{spqrpb.Phase_PHASE_KEYS_UNSAMPLED, spqrpb.Phase_PHASE_HEADER_RECEIVED} {
		for left := range 2 {
			_, err := Send(&brokenRandom{left * 31}, byPhase[phase])
			require.ErrorIs(t, err, errBroken)
		}
	}
}

// TestCorruptStates damages every field of every phase: what cannot be right is ErrState, and nothing panics.
func TestCorruptStates(t *testing.T) {
	byPhase, messages := states(t)
	_, err := Send(newRandom(1), State("not a state"))
	require.ErrorIs(t, err, ErrState)
	for phase, state := range byPhase {
		for field := range fieldsOfBraid {
			var stored spqrpb.State
			require.NoError(t, proto.Unmarshal(state, &stored))
			message := stored.Braid.ProtoReflect()
			descriptor := message.Descriptor().Fields().Get(field)
			if !message.Has(descriptor) || descriptor.Name() == "sending_next" || descriptor.Name() == "receiving" {
				continue
			}
			message.Clear(descriptor)
			damaged, err := proto.Marshal(&stored)
			require.NoError(t, err)
			_, err = Recv(damaged, messages[0])
			require.ErrorIs(t, err, ErrState, "%s without %s", phase, descriptor.Name())
		}
	}
}

func TestCorruptChains(t *testing.T) {
	byPhase, messages := states(t)
	tests := map[string]func(*spqrpb.State){
		"no chain, nothing to make one from": func(s *spqrpb.State) { s.Chain = nil },
		"short root":                         func(s *spqrpb.State) { s.Chain.Root = s.Chain.Root[1:] },
		"no epochs":                          func(s *spqrpb.State) { s.Chain.Epochs = nil },
		"unknown direction":                  func(s *spqrpb.State) { s.Chain.Direction = 2 },
		"sending ahead":                      func(s *spqrpb.State) { s.Chain.SendEpoch = s.Chain.CurrentEpoch + 1 },
		"no key to receive with":             func(s *spqrpb.State) { s.Chain.Epochs[0].ReceiveNext = nil },
		"short key to send with":             func(s *spqrpb.State) { s.Chain.Epochs[0].SendNext = []byte{1} },
		"half a skipped key":                 func(s *spqrpb.State) { s.Chain.Epochs[0].Skipped = make([]byte, skippedSize/2) },
		"short key to negotiate with":        func(s *spqrpb.State) { s.Negotiation = &spqrpb.Negotiation{AuthKey: []byte{1}} },
		"chunk index too high":               func(s *spqrpb.State) { s.Braid.SendingNext = 1 << 16 },
		"too many chunks":                    func(s *spqrpb.State) { s.Braid.Receiving = make([]byte, 34*40) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			var stored spqrpb.State
			require.NoError(t, proto.Unmarshal(byPhase[spqrpb.Phase_PHASE_CT1_SAMPLED], &stored))
			damage(&stored)
			state, err := proto.Marshal(&stored)
			require.NoError(t, err)
			_, err = Recv(state, messages[len(messages)-1])
			require.ErrorIs(t, err, ErrState)
			_, err = Send(newRandom(1), state)
			require.ErrorIs(t, err, ErrState)
		})
	}
}

var fieldsOfBraid = (&spqrpb.Braid{}).ProtoReflect().Descriptor().Fields().Len()

func FuzzRecv(f *testing.F) {
	byPhase, messages := states(f)
	for i, message := range messages {
		if i%100 == 0 {
			f.Add(uint8(i), message)
		}
	}
	f.Fuzz(func(t *testing.T, phase uint8, message []byte) {
		state := byPhase[spqrpb.Phase(phase%11+1)]
		before := bytes.Clone(state)
		received, err := Recv(state, message)
		require.Equal(t, before, []byte(state))
		if err != nil {
			require.NotErrorIs(t, err, ErrState)
			require.Zero(t, received)
			return
		}
		_, err = Send(newRandom(1), received.State)
		require.NoError(t, err)
	})
}

func FuzzState(f *testing.F) {
	byPhase, messages := states(f)
	for _, state := range byPhase {
		f.Add([]byte(state), messages[3])
	}
	f.Fuzz(func(t *testing.T, state, message []byte) {
		_, _ = Send(newRandom(1), state)
		received, err := Recv(state, message)
		if err == nil {
			_, err = parseState(received.State)
			require.NoError(t, err)
		}
	})
}
