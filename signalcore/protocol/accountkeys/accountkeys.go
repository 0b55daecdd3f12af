// Package accountkeys derives an account's keys from its entropy pool: the master key (which libsignal calls the SVR
// key), from it the storage service key and the registration secrets, and the backup key.
//
//	entropy pool ── master key ─┬─ storage key
//	             │              ├─ registration lock, recovery password
//	             │              └─ logging key
//	             └─ backup key ─── backup id, backup EC key
//
// Source: libsignal rust/account-keys/src/lib.rs and backup.rs. What the storage key opens is in package storagecipher;
// PIN hashing and secure value recovery are not here.
package accountkeys

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

const (
	keySize  = 32
	poolSize = 64
	alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
)

var (
	// ErrMalformedPool is returned for text that is no account entropy pool.
	ErrMalformedPool = errors.New("malformed account entropy pool")
	// ErrMalformedKey is returned for bytes that are no master key.
	ErrMalformedKey = errors.New("malformed master key")
)

// EntropyPool is the root of an account's keys: 64 characters of a-z and 0-9, which a person can write down. The zero
// value is none. It prints as a placeholder; Reveal shows it.
type EntropyPool struct{ text string }

// GenerateEntropyPool takes a new pool from random.
func GenerateEntropyPool(random io.Reader) (EntropyPool, error) {
	// Above this, a byte would favour the first characters.
	const fair = 256 / len(alphabet) * len(alphabet)
	var text []byte
	for next := make([]byte, 1); len(text) < poolSize; {
		if _, err := io.ReadFull(random, next); err != nil {
			return EntropyPool{}, fmt.Errorf("generate account entropy pool: %w", err)
		}
		if int(next[0]) < fair {
			text = append(text, alphabet[int(next[0])%len(alphabet)])
		}
	}
	return EntropyPool{string(text)}, nil
}

// ParseEntropyPool reads a pool as the provisioning message carries it.
func ParseEntropyPool(text string) (EntropyPool, error) {
	if len(text) != poolSize {
		return EntropyPool{}, fmt.Errorf("%w: %d characters", ErrMalformedPool, len(text))
	}
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return EntropyPool{}, fmt.Errorf("%w: character %d", ErrMalformedPool, i+1)
		}
	}
	return EntropyPool{text}, nil
}

// Reveal returns the pool's text.
func (p EntropyPool) Reveal() string { return p.text }

// IsZero reports whether there is no pool here.
func (p EntropyPool) IsZero() bool { return p.text == "" }

// Format prints a placeholder for every verb.
func (p EntropyPool) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(account entropy pool)") }

// MasterKey derives the master key.
func (p EntropyPool) MasterKey() MasterKey {
	return MasterKey(expand([]byte(p.text), "20240801_SIGNAL_SVR_MASTER_KEY"))
}

// BackupKey derives the key of message backups.
func (p EntropyPool) BackupKey() BackupKey {
	return BackupKey(expand([]byte(p.text), "20240801_SIGNAL_BACKUP_KEY"))
}

// MasterKey is the key that secure value recovery keeps, and accounts without an entropy pool have at the root.
type MasterKey [keySize]byte

// ParseMasterKey reads a key of 32 bytes.
func ParseMasterKey(b []byte) (MasterKey, error) {
	if len(b) != keySize {
		return MasterKey{}, fmt.Errorf("%w: %d bytes", ErrMalformedKey, len(b))
	}
	return MasterKey(b), nil
}

// Format prints a placeholder for every verb.
func (k MasterKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(master key)") }

// StorageKey derives the root of the storage service's keys.
func (k MasterKey) StorageKey() StorageKey {
	return StorageKey(sum(k[:], "Storage Service Encryption"))
}

// RegistrationLock derives the token that registering the number anew takes, in the service's hexadecimal form.
func (k MasterKey) RegistrationLock() string {
	token := sum(k[:], "Registration Lock")
	return hex.EncodeToString(token[:])
}

// RecoveryPassword derives the password that recovers the account without a text message.
func (k MasterKey) RecoveryPassword() [keySize]byte { return sum(k[:], "Registration Recovery") }

// LoggingKey derives the key that obscures identifiers in logs.
func (k MasterKey) LoggingKey() [keySize]byte { return sum(k[:], "Logging Key") }

// StorageKey is the root of the storage service's keys.
type StorageKey [keySize]byte

// Format prints a placeholder for every verb.
func (k StorageKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(storage key)") }

// BackupKey is the root of message backups.
type BackupKey [keySize]byte

// Format prints a placeholder for every verb.
func (k BackupKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(backup key)") }

// BackupIDSize is the length of the name that the service knows a backup by.
const BackupIDSize = 16

// BackupID derives the name of the account's backup.
func (k BackupKey) BackupID(aci serviceid.ServiceID) [BackupIDSize]byte {
	full := expand(k[:], "20241024_SIGNAL_BACKUP_ID:"+string(aci.Binary()))
	return [BackupIDSize]byte(full[:BackupIDSize])
}

// ECKey derives the key that signs for the account's backup.
func (k BackupKey) ECKey(aci serviceid.ServiceID) (curve.PrivateKey, error) {
	seed := expand(k[:], "20241024_SIGNAL_BACKUP_ID_KEYPAIR:"+string(aci.Binary()))
	return curve.ParsePrivateKey(seed[:])
}

// expand is HKDF-SHA256 without salt, to one key.
func expand(secret []byte, info string) [keySize]byte {
	key, err := hkdf.Key(sha256.New, secret, nil, info, keySize)
	if err != nil {
		panic("HKDF gives 32 bytes: " + err.Error())
	}
	return [keySize]byte(key)
}

func sum(key []byte, label string) [keySize]byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(label))
	return [keySize]byte(mac.Sum(nil))
}
