package senderkey

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kdfchain"
)

// NewDistribution returns the distribution message of our current key, from its next message on. Where the record has
// no key one is made; the record that comes back has to be saved before the message leaves.
func NewDistribution(random io.Reader, record Record, distributionID uuid.UUID) ([]byte, Record, error) {
	if record.IsEmpty() {
		created, err := newState(random)
		if err != nil {
			return nil, Record{}, err
		}
		record = record.add(created)
	}
	s := record.states[0]
	if s.private == nil {
		return nil, Record{}, fmt.Errorf("%w: the key is another's", ErrCorrupt)
	}
	d := Distribution{
		ID: distributionID, ChainID: s.chainID, Iteration: s.chain.Index, key: s.chain.Key, signing: s.signing,
	}
	serialized, err := d.serialize()
	if err != nil {
		return nil, Record{}, err
	}
	return serialized, record, nil
}

func newState(random io.Reader) (state, error) {
	var id [4]byte
	var s state
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return state{}, fmt.Errorf("generating a sender key: %w", err)
	}
	if _, err := io.ReadFull(random, s.chain.Key[:]); err != nil {
		return state{}, fmt.Errorf("generating a sender key: %w", err)
	}
	pair, err := curve.GenerateKeyPair(random)
	if err != nil {
		return state{}, fmt.Errorf("generating a sender key: %w", err)
	}
	// Chain ids have 31 bits, for readers that have no unsigned numbers.
	s.chainID = binary.BigEndian.Uint32(id[:]) >> 1
	s.signing, s.private = pair.Public, &pair.Private
	return s, nil
}

// ProcessDistribution adds the key of a sender's distribution message to the sender's record, which may be empty, and
// returns the record with the distribution id under which to keep it.
func ProcessDistribution(serialized []byte, record Record) (uuid.UUID, Record, error) {
	d, err := ParseDistribution(serialized)
	if err != nil {
		return uuid.Nil, Record{}, err
	}
	return d.ID, record.add(state{
		chainID: d.ChainID, chain: kdfchain.Chain{Key: d.key, Index: d.Iteration}, signing: d.signing,
	}), nil
}

// Encrypt encrypts and signs a message with our current key. The record that comes back has to be saved before the
// message leaves. The error is ErrNoSenderKey where the record has no key, and ErrExhausted where a new one is due.
func Encrypt(random io.Reader, record Record, distributionID uuid.UUID, plaintext []byte) ([]byte, Record, error) {
	if record.IsEmpty() {
		return nil, Record{}, ErrNoSenderKey
	}
	s := record.states[0]
	switch {
	case s.private == nil:
		return nil, Record{}, fmt.Errorf("%w: the key is another's", ErrCorrupt)
	case s.chain.AtEnd():
		return nil, Record{}, ErrExhausted
	}
	keys, err := deriveMessageKeys(s.chain.Seed())
	if err != nil {
		return nil, Record{}, err
	}
	ciphertext, err := keys.encrypt(plaintext)
	if err != nil {
		return nil, Record{}, err
	}
	m := message{distributionID: distributionID, chainID: s.chainID, iteration: s.chain.Index, ciphertext: ciphertext}
	sealed, err := m.seal(random, *s.private)
	if err != nil {
		return nil, Record{}, err
	}
	s.chain = s.chain.Next()
	return sealed, record.with(0, s), nil
}

// Decrypt verifies and decrypts a message with its sender's record, that of the message's distribution id. The error is
// ErrNoSenderKey, ErrDuplicate, ErrTooFarAhead, ErrSignature, ErrInvalid or ErrMalformed.
func Decrypt(record Record, ciphertext []byte) ([]byte, Record, error) {
	m, err := parseMessage(ciphertext)
	if err != nil {
		return nil, Record{}, err
	}
	at := record.find(m.chainID)
	if at < 0 {
		return nil, Record{}, fmt.Errorf("%w: chain %d is none of %d", ErrNoSenderKey, m.chainID, len(record.states))
	}
	if !record.states[at].signing.Verify(m.signed, m.signature) {
		return nil, Record{}, ErrSignature
	}
	next := record.states[at]
	var seed [32]byte
	if next.chain, seed, err = next.chain.Take(m.iteration, MaxJump); err != nil {
		return nil, Record{}, err
	}
	keys, err := deriveMessageKeys(seed)
	if err != nil {
		return nil, Record{}, err
	}
	plaintext, err := keys.decrypt(m.ciphertext)
	if err != nil {
		return nil, Record{}, err
	}
	return plaintext, record.with(at, next), nil
}

// encrypt is AES-256-CBC with PKCS#7 padding.
func (k *messageKeys) encrypt(plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.cipher[:])
	if err != nil {
		return nil, fmt.Errorf("encrypting for a group: %w", err)
	}
	fill := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, 0, len(plaintext)+fill)
	out = append(append(out, plaintext...), bytes.Repeat([]byte{byte(fill)}, fill)...)
	cipher.NewCBCEncrypter(block, k.iv[:]).CryptBlocks(out, out)
	return out, nil
}

// decrypt undoes encrypt. The signature was verified before, so that the padding tells an attacker nothing.
func (k *messageKeys) decrypt(ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: ciphertext of %d bytes", ErrInvalid, len(ciphertext))
	}
	block, err := aes.NewCipher(k.cipher[:])
	if err != nil {
		return nil, fmt.Errorf("decrypting a group message: %w", err)
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, k.iv[:]).CryptBlocks(out, ciphertext)
	fill := int(out[len(out)-1])
	if fill == 0 || fill > aes.BlockSize ||
		!bytes.Equal(out[len(out)-fill:], bytes.Repeat([]byte{byte(fill)}, fill)) {
		return nil, fmt.Errorf("%w: padding", ErrInvalid)
	}
	return out[:len(out)-fill], nil
}
