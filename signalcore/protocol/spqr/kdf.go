package spqr

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
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

// derive is HKDF-SHA-256. It cannot fail: the lengths asked for are small.
func derive(salt, secret, info []byte, length int) []byte {
	key, err := hkdf.Key(sha256.New, secret, salt, string(info), length)
	if err != nil {
		panic("spqr: " + err.Error())
	}
	return key
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
