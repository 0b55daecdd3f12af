package spqr

import "math"

const (
	defaultMaxJump           = 25_000
	defaultMaxOutOfOrderKeys = 2_000
	// epochsBeforeSendEpoch is how many epochs are kept before the one that this side sends in, for late messages.
	epochsBeforeSendEpoch = 1
)

func (p ChainParams) maxJump() uint32 {
	if p.MaxJump == 0 {
		return defaultMaxJump
	}
	return p.MaxJump
}

func (p ChainParams) maxOutOfOrderKeys() uint32 {
	if p.MaxOutOfOrderKeys == 0 {
		return defaultMaxOutOfOrderKeys
	}
	return p.MaxOutOfOrderKeys
}

// halfChain gives the message keys of one epoch and direction. The first key has index 1. Source: src/chain.rs.
type halfChain struct {
	counter uint32 // index of the last key made
	next    []byte // empty once the chain has ended
	skipped skippedKeys
}

// advance returns the next key.
func (h *halfChain) advance() []byte {
	h.counter++
	index := h.counter
	info := append([]byte{byte(index >> 24), byte(index >> 16), byte(index >> 8), byte(index)}, chainNextLabel...)
	keys := derive(zeroSalt[:], h.next, info, 2*keySize)
	h.next = keys[:keySize:keySize]
	return keys[keySize:]
}

// key returns the key with the given index, once.
func (h *halfChain) key(index uint32, params ChainParams) ([]byte, error) {
	if index <= h.counter {
		return h.pastKey(index, params)
	}
	if index-h.counter > params.maxJump() {
		return nil, &JumpError{h.counter, index}
	}
	oldest := index - min(index, params.maxOutOfOrderKeys())
	h.skipped.trim(oldest)
	for h.counter+1 < index {
		if key := h.advance(); h.counter >= oldest {
			h.skipped.add(h.counter, key)
		}
	}
	return h.advance(), nil
}

func (h *halfChain) pastKey(index uint32, params ChainParams) ([]byte, error) {
	if h.counter-index > params.maxOutOfOrderKeys() {
		return nil, &TooOldError{index}
	}
	key, ok := h.skipped.take(index)
	if !ok {
		return nil, &DuplicateError{index}
	}
	return key, nil
}

type chainEpoch struct{ send, receive halfChain }

// chain gives the message keys of all epochs.
type chain struct {
	direction    Direction
	params       ChainParams
	currentEpoch uint64 // of the last of epochs
	sendEpoch    uint64
	root         []byte
	epochs       []chainEpoch
}

func newChain(direction Direction, authKey []byte, params ChainParams) *chain {
	c := &chain{direction: direction, params: params}
	c.start(zeroSalt[:], authKey, chainStartLabel)
	return c
}

// start begins the chains of an epoch.
func (c *chain) start(root, secret []byte, label string) {
	keys := derive(root, secret, []byte(label), 3*keySize)
	c.root = keys[:keySize:keySize]
	epoch := chainEpoch{
		send:    halfChain{next: keys[keySize : 2*keySize : 2*keySize]},
		receive: halfChain{next: keys[2*keySize:]},
	}
	if c.direction == BToA {
		epoch.send, epoch.receive = epoch.receive, epoch.send
	}
	c.epochs = append(c.epochs, epoch)
}

// addEpoch begins the epoch after the current one.
func (c *chain) addEpoch(secret epochSecret) error {
	if secret.epoch != c.currentEpoch+1 {
		return ErrState
	}
	c.currentEpoch = secret.epoch
	c.start(c.root, secret.key, chainEpochLabel)
	return nil
}

func (c *chain) position(epoch uint64) (int, error) {
	if epoch > c.currentEpoch || c.currentEpoch-epoch >= uint64(len(c.epochs)) {
		return 0, &EpochError{epoch}
	}
	return len(c.epochs) - 1 - int(c.currentEpoch-epoch), nil
}

// sendKey returns the next key to send with in an epoch. It ends the sending chains of the epochs before, and forgets
// all but the last of those.
func (c *chain) sendKey(epoch uint64) (index uint32, key []byte, err error) {
	i, err := c.position(epoch)
	if err != nil {
		return 0, nil, err
	}
	if epoch != c.sendEpoch {
		drop := max(0, i-epochsBeforeSendEpoch)
		c.epochs, i = c.epochs[drop:], i-drop
		for j := range i {
			c.epochs[j].send.next = nil
		}
		c.sendEpoch = epoch
	}
	half := &c.epochs[i].send
	if len(half.next) == 0 || half.counter == math.MaxUint32 {
		return 0, nil, &EpochError{epoch}
	}
	key = half.advance()
	return half.counter, key, nil
}

// receiveKey returns the key of a message that the other side sent in an epoch.
func (c *chain) receiveKey(epoch uint64, index uint32) ([]byte, error) {
	i, err := c.position(epoch)
	if err != nil {
		return nil, err
	}
	return c.epochs[i].receive.key(index, c.params)
}
