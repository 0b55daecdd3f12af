package sealedsender

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"signalbox/signalcore/protocol/curve"
)

// Trust is a set of trust roots that remembers which certificates go back to them: checking signatures is half the work
// of opening a message, while all senders show one server certificate, and each its own for a day. What it remembers is
// bounded and changes no verdict. It is safe for concurrent use.
type Trust struct {
	roots []curve.PublicKey

	mu      sync.Mutex
	servers map[[sha256.Size]byte]struct{}
	senders map[[sha256.Size]byte]struct{}
}

const (
	maxServers = 16
	maxSenders = 2048
)

// NewTrust returns a Trust in the given roots.
func NewTrust(roots ...curve.PublicKey) *Trust {
	return &Trust{
		roots:   slices.Clone(roots),
		servers: map[[sha256.Size]byte]struct{}{},
		senders: map[[sha256.Size]byte]struct{}{},
	}
}

// Validate does what SenderCertificate.Validate does.
func (t *Trust) Validate(c *SenderCertificate, at time.Time) error {
	sender := sha256.Sum256(c.serialized)
	if !t.knows(t.senders, sender) {
		if err := t.validateSignatures(c); err != nil {
			return err
		}
		t.remember(t.senders, sender, maxSenders)
	}
	return c.validateTime(at)
}

func (t *Trust) validateSignatures(c *SenderCertificate) error {
	signer, err := c.Signer()
	if err != nil {
		return err
	}
	server := sha256.Sum256(signer.serialized)
	if !t.knows(t.servers, server) {
		if err := signer.Validate(t.roots); err != nil {
			return err
		}
		t.remember(t.servers, server, maxServers)
	}
	return c.validateSignature(signer)
}

func (t *Trust) knows(known map[[sha256.Size]byte]struct{}, hash [sha256.Size]byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := known[hash]
	return ok
}

func (t *Trust) remember(known map[[sha256.Size]byte]struct{}, hash [sha256.Size]byte, limit int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(known) >= limit {
		// Rare enough that starting over is cheaper than keeping an order.
		clear(known)
	}
	known[hash] = struct{}{}
}
