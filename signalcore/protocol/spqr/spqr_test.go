package spqr

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/spqrpb"
)

func newRandom(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func newPair(t testing.TB, params Params) (a, b State) {
	t.Helper()
	params.AuthKey = bytes.Repeat([]byte{41}, keySize)
	params.Direction = AToB
	a, err := InitialState(params)
	require.NoError(t, err)
	params.Direction = BToA
	b, err = InitialState(params)
	require.NoError(t, err)
	return a, b
}

var strict = Params{Version: V1, MinVersion: V1}

// party is one side of a conversation; its state is bytes only, so every step is a restart.
type party struct {
	state  State
	random *rand.ChaCha8
	inbox  []inFlight
}

type inFlight struct{ message, key []byte }

func (p *party) send(t testing.TB) inFlight {
	before := bytes.Clone(p.state)
	sent, err := Send(p.random, p.state)
	require.NoError(t, err)
	require.Equal(t, before, []byte(p.state), "the old state is left alone")
	require.Len(t, sent.Key, keySize)
	p.state = sent.State
	return inFlight{sent.Message, sent.Key}
}

func (p *party) receive(t testing.TB, in inFlight) {
	before := bytes.Clone(p.state)
	received, err := Recv(p.state, in.message)
	require.NoError(t, err)
	require.Equal(t, before, []byte(p.state), "the old state is left alone")
	require.Equal(t, in.key, received.Key)
	p.state = received.State
}

func (p *party) parsed(t testing.TB) *ratchet {
	r, err := parseState(p.state)
	require.NoError(t, err)
	return r
}

func newParties(t testing.TB, params Params, seed byte) [2]*party {
	a, b := newPair(t, params)
	return [2]*party{{state: a, random: newRandom(seed)}, {state: b, random: newRandom(seed + 100)}}
}

// TestPingPong runs a conversation without loss, and counts the messages of an epoch.
func TestPingPong(t *testing.T) {
	parties := newParties(t, strict, 1)
	for range 400 {
		parties[1].receive(t, parties[0].send(t))
		parties[0].receive(t, parties[1].send(t))
	}
	for _, p := range parties {
		r := p.parsed(t)
		require.Greater(t, r.braid.epoch, uint64(8))
		require.LessOrEqual(t, len(r.chain.epochs), 3)
		require.Nil(t, r.negotiation)
	}
}

// link is how badly the messages fare on their way.
type link struct{ loss, duplicate, reorder float64 }

// TestConversations runs random conversations. Every key must match; duplicates must be refused as such.
func TestConversations(t *testing.T) {
	links := map[string]link{
		"lossless":   {},
		"lossy":      {loss: 0.4},
		"duplicates": {duplicate: 0.5},
		"reordered":  {reorder: 0.4},
		"everything": {loss: 0.3, duplicate: 0.2, reorder: 0.45},
	}
	for name, l := range links {
		for seed := range 2 {
			t.Run(fmt.Sprint(name, seed), func(t *testing.T) {
				epoch, phases := converse(t, l, byte(seed), 3000)
				require.Greater(t, epoch, uint64(12))
				for phase := spqrpb.Phase_PHASE_KEYS_UNSAMPLED; phase <= spqrpb.Phase_PHASE_CT2_SAMPLED; phase++ {
					if phase != spqrpb.Phase_PHASE_CT1_ACKNOWLEDGED { // a lossless conversation need not pass there
						require.Positive(t, phases[phase], phase)
					}
				}
			})
		}
	}
}

func converse(t *testing.T, l link, seed byte, steps int) (epoch uint64, phases map[spqrpb.Phase]int) {
	parties := newParties(t, strict, seed)
	random := rand.New(newRandom(seed + 50))
	phases = map[spqrpb.Phase]int{}
	for range steps {
		from := random.IntN(2)
		sender, receiver := parties[from], parties[1-from]
		out := sender.send(t)
		if random.Float64() >= l.loss {
			receiver.inbox = append(receiver.inbox, out)
		}
		for len(receiver.inbox) > 0 && random.Float64() >= l.reorder {
			receiver.deliver(t, random, l)
		}
		stored := receiver.parsed(t).braid.toProto()
		phases[stored.Phase]++
		epoch = stored.Epoch
	}
	return epoch, phases
}

func (p *party) deliver(t *testing.T, random *rand.Rand, l link) {
	// Reordering stays within a window: an epoch's chain is forgotten when its next but one has begun.
	i := random.IntN(min(len(p.inbox), 8))
	if l.reorder == 0 {
		i = 0
	}
	in := p.inbox[i]
	p.inbox = append(p.inbox[:i:i], p.inbox[i+1:]...)
	p.receive(t, in)
	if random.Float64() < l.duplicate {
		var duplicate *DuplicateError
		_, err := Recv(p.state, in.message)
		require.ErrorAs(t, err, &duplicate)
	}
}

// TestOneSided shows that a side that is never answered keeps sending, long past the chunks of the message itself.
func TestOneSided(t *testing.T) {
	parties := newParties(t, strict, 9)
	var last inFlight
	for range 300 {
		last = parties[0].send(t)
	}
	parties[1].receive(t, last)
	for range 100 {
		parties[0].receive(t, parties[1].send(t))
	}
	require.Less(t, len(parties[0].state), 4000)
}
