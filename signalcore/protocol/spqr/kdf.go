package spqr

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

const keySize = 32

// Labels of the key derivations. The two spaces in chainStartLabel are on the wire for good.
const (
	chainStartLabel     = "Signal PQ Ratchet V1 Chain  Start"
	chainEpochLabel     = "Signal PQ Ratchet V1 Chain Add Epoch"
	chainNextLabel      = "Signal PQ Ratchet V1 Chain Next"
	epochSecretLabel    = "Signal_PQCKA_V1_MLKEM768:SCKA Key"
	authUpdateLabel     = "Signal_PQCKA_V1_MLKEM768:Authenticator Update"
	authHeaderLabel     = "Signal_PQCKA_V1_MLKEM768:ekheader"
	authCiphertextLabel = "Signal_PQCKA_V1_MLKEM768:ciphertext"
)

var zeroSalt [sha256.Size]byte

// derive is HKDF-SHA-256 (RFC 5869). Each message costs one or two, nearly all with the zero salt: its half of the work
// is done once, here, which crypto/hkdf cannot.
func derive(salt, secret, info []byte, length int) []byte {
	extract := zeroSaltMAC
	if !bytes.Equal(salt, zeroSalt[:]) {
		extract = newMAC(salt)
	}
	expand := newMAC(extract.sum(secret))
	var block []byte
	out := make([]byte, 0, length+sha256.Size)
	for counter := byte(1); len(out) < length; counter++ {
		block = expand.sum(block, info, []byte{counter})
		out = append(out, block...)
	}
	return out[:length:length]
}

// mac is HMAC-SHA-256 (RFC 2104) with its key taken in. It does not change.
type mac struct{ inner, outer hash.Cloner }

var zeroSaltMAC = newMAC(zeroSalt[:])

// newMAC takes a key of at most one block.
func newMAC(key []byte) mac { return mac{padded(key, 0x36), padded(key, 0x5c)} }

func padded(key []byte, pad byte) hash.Cloner {
	var block [sha256.BlockSize]byte
	copy(block[:], key)
	for i := range block {
		block[i] ^= pad
	}
	h := sha256.New()
	h.Write(block[:])
	return h.(hash.Cloner)
}

func (m mac) sum(message ...[]byte) []byte {
	inner, _ := m.inner.Clone()
	for _, part := range message {
		inner.Write(part)
	}
	outer, _ := m.outer.Clone()
	var buffer [sha256.Size]byte
	outer.Write(inner.Sum(buffer[:0]))
	return outer.Sum(buffer[:0])
}

func withEpoch(label string, epoch uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(label), epoch)
}

// epochSecret is the secret that an ML-KEM key agreement gives for an epoch.
type epochSecret struct {
	epoch uint64
	key   []byte
}

func newEpochSecret(epoch uint64, shared []byte) epochSecret {
	return epochSecret{epoch, derive(zeroSalt[:], shared, withEpoch(epochSecretLabel, epoch), keySize)}
}
