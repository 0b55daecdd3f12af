package spqr

import (
	"fmt"
	"io"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
	"signalbox/signalcore/protocol/spqr/internal/mlkem"
	"signalbox/signalcore/signalpb/spqrpb"
)

// Sizes of what travels in chunks.
const (
	headerMessageSize = mlkem.HeaderSize + macSize
	keyMessageSize    = mlkem.VectorSize
	ct1MessageSize    = mlkem.Ciphertext1Size
	ct2MessageSize    = mlkem.Ciphertext2Size + macSize
)

// braid is the ML-KEM Braid, which agrees on one secret per epoch. In each epoch one side samples a key and the other
// encapsulates to it; then they change roles. The two halves (sendkey.go, sendciphertext.go) run so:
//
//	keysUnsampled        | noHeaderReceived
//	keysSampled      --- header, MAC -->
//	                     | headerReceived
//	                 <-- ciphertext 1 -- ct1Sampled: has the epoch's secret
//	headerSent       --- key ---------->
//	ct1Received      --- key, ack -----> ct1Acknowledged (if the key is not complete),
//	                                     ekReceivedCt1Sampled (if the ack is late)
//	                 <-- ciphertext 2, MAC -- ct2Sampled
//	ekSentCt1Received: has the epoch's secret
//	noHeaderReceived of the next epoch; its first message makes the other side keysUnsampled
//
// Methods change the braid in place: it is a working copy, dropped on error.
type braid struct {
	epoch uint64
	auth  authenticator
	phase phase
}

// phase is a state of the braid. Both methods may set b.phase, and return a secret when the epoch's has been agreed.
type phase interface {
	// send returns what the next message carries.
	send(b *braid, random io.Reader) (payload, *epochSecret, error)
	// receive takes what a message of this epoch carries; what the phase does not wait for is ignored.
	receive(b *braid, in payload) (*epochSecret, error)
	// store sets the fields of the phase.
	store(to *spqrpb.Braid)
}

func newBraid(direction Direction, authKey []byte) (*braid, error) {
	b := &braid{epoch: 1, auth: newAuthenticator(authKey), phase: keysUnsampled{}}
	if direction == AToB {
		return b, nil
	}
	return b, b.awaitHeader()
}

func (b *braid) send(random io.Reader) (payload, *epochSecret, error) { return b.phase.send(b, random) }

func (b *braid) receive(m message) (*epochSecret, error) {
	if m.epoch < b.epoch {
		return nil, nil
	}
	if m.epoch > b.epoch {
		// Only the other side, once it has our second ciphertext, can be ahead, and by one epoch.
		if _, done := b.phase.(*ct2Sampled); !done || m.epoch != b.epoch+1 {
			return nil, &EpochError{m.epoch}
		}
		b.epoch, b.phase = m.epoch, keysUnsampled{}
		return nil, nil
	}
	return b.phase.receive(b, m.payload)
}

// agree derives the epoch's secret, and the MAC keys from it.
func (b *braid) agree(shared []byte) *epochSecret {
	secret := newEpochSecret(b.epoch, shared)
	b.auth.update(b.epoch, secret.key)
	return &secret
}

// next returns the encoder's next chunk as a payload.
func next(kind payloadKind, sending *erasure.Encoder) payload { return payload{kind, sending.Next()} }

func readRandom(random io.Reader, b []byte) error {
	if _, err := io.ReadFull(random, b); err != nil {
		return fmt.Errorf("post-quantum ratchet: read randomness: %w", err)
	}
	return nil
}
