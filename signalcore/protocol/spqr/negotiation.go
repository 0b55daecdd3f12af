package spqr

import "io"

// ratchet is a parsed State, a working copy. Version 0 has no braid. Source of the rules: src/lib.rs.
type ratchet struct {
	negotiation *negotiation // until the first message arrives
	chain       *chain       // nil at first, made when its first key is needed
	braid       *braid
}

// negotiation is what is needed to start over with a lower version.
type negotiation struct {
	authKey    []byte
	direction  Direction
	minVersion Version
	params     ChainParams
}

func initialState(params Params) (State, error) {
	if params.Version > V1 || params.MinVersion > params.Version || params.Direction > BToA {
		return nil, ErrParams
	}
	if params.Version == V0 {
		return nil, nil
	}
	if len(params.AuthKey) != keySize {
		return nil, ErrParams
	}
	b, err := newBraid(params.Direction, params.AuthKey)
	if err != nil {
		return nil, err
	}
	n := &negotiation{params.AuthKey, params.Direction, params.MinVersion, params.Chain}
	return (&ratchet{negotiation: n, braid: b}).marshal()
}

func (r *ratchet) version() Version {
	if r.braid == nil {
		return V0
	}
	return V1
}

// startChain makes the chain if there is none.
func (r *ratchet) startChain() error {
	if r.chain != nil {
		return nil
	}
	n := r.negotiation
	if n == nil {
		return ErrState
	}
	r.chain = newChain(n.direction, n.authKey, n.params)
	return nil
}

// addEpoch puts a newly agreed secret, if there is one, into the chain.
func (r *ratchet) addEpoch(secret *epochSecret) error {
	if secret == nil {
		return nil
	}
	return r.chain.addEpoch(*secret)
}

func send(random io.Reader, state State) (Sent, error) {
	r, err := parseState(state)
	if err != nil || r.version() == V0 {
		return Sent{}, err
	}
	m := message{epoch: r.braid.epoch}
	out, secret, err := r.braid.send(random)
	if err != nil {
		return Sent{}, err
	}
	m.payload = out
	key, err := r.sendKey(&m, secret)
	if err != nil {
		return Sent{}, err
	}
	newState, err := r.marshal()
	if err != nil {
		return Sent{}, err
	}
	return Sent{newState, m.marshal(), key}, nil
}

// sendKey sets the index of the message's key and returns the key. While the other side may still turn out to speak
// version 0, there is none.
func (r *ratchet) sendKey(m *message, secret *epochSecret) (key []byte, err error) {
	if n := r.negotiation; r.chain == nil && n != nil && n.minVersion == V0 {
		if secret != nil {
			return nil, ErrState
		}
		return nil, nil
	}
	if err := r.startChain(); err != nil {
		return nil, err
	}
	if err := r.addEpoch(secret); err != nil {
		return nil, err
	}
	m.index, key, err = r.chain.sendKey(m.epoch - 1)
	return key, err
}

func receive(state State, b []byte) (Received, error) {
	r, err := parseState(state)
	if err != nil {
		return Received{}, err
	}
	version := V0
	if len(b) > 0 {
		version = Version(b[0])
	}
	if version > V1 {
		// Too high for us. They will come down to our version when our messages reach them.
		return Received{State: state}, nil
	}
	if version < r.version() {
		return Received{}, r.stepDown(version)
	}
	if r.version() == V0 {
		return Received{}, nil
	}
	return r.receive(b)
}

// stepDown decides whether version 0, whose state is empty, may replace ours.
func (r *ratchet) stepDown(version Version) error {
	if r.negotiation == nil {
		return ErrVersion
	}
	if version < r.negotiation.minVersion {
		return ErrMinimumVersion
	}
	return nil
}

func (r *ratchet) receive(b []byte) (Received, error) {
	m, err := parseMessage(b)
	if err != nil {
		return Received{}, err
	}
	secret, err := r.braid.receive(m)
	if err != nil {
		return Received{}, err
	}
	if err := r.startChain(); err != nil {
		return Received{}, err
	}
	if err := r.addEpoch(secret); err != nil {
		return Received{}, err
	}
	key, err := r.receiveKey(&m)
	if err != nil {
		return Received{}, err
	}
	r.negotiation = nil
	newState, err := r.marshal()
	if err != nil {
		return Received{}, err
	}
	return Received{newState, key}, nil
}

// receiveKey returns the key of a message; one without index was sent before its sender had a chain, and has none.
func (r *ratchet) receiveKey(m *message) ([]byte, error) {
	if m.epoch == 1 && m.index == 0 {
		return nil, nil
	}
	return r.chain.receiveKey(m.epoch-1, m.index)
}
