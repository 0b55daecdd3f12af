package accountkeys

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
)

const (
	nonceSize = 12
	tagSize   = 16
)

// ErrNotReadable is returned for a storage record that its key does not open: mostly, the account has a new master key.
var ErrNotReadable = errors.New("storage record cannot be decrypted with the known key")

// StorageKey is the root of the storage service's keys.
type StorageKey [keySize]byte

// ManifestKey derives the key of the manifest of one version.
func (k StorageKey) ManifestKey(version uint64) RecordKey {
	return RecordKey(sum(k[:], "Manifest_"+strconv.FormatUint(version, 10)))
}

// ItemKey derives the key of one item, by the raw bytes of its identifier. A manifest that has a record IKM uses
// RecordIKM.ItemKey in its place.
func (k StorageKey) ItemKey(id []byte) RecordKey {
	return RecordKey(sum(k[:], "Item_"+base64.StdEncoding.EncodeToString(id)))
}

// Format prints a placeholder for every verb.
func (k StorageKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(storage key)") }

// RecordIKM is the manifest's recordIkm, from which the keys of its items follow. Since it is random and lies within the
// manifest, a new master key needs no new items.
type RecordIKM []byte

// ItemKey derives the key of one item, by the raw bytes of its identifier.
func (ikm RecordIKM) ItemKey(id []byte) RecordKey {
	return RecordKey(expand(ikm, "20240801_SIGNAL_STORAGE_SERVICE_ITEM_"+string(id)))
}

// Format prints a placeholder for every verb.
func (ikm RecordIKM) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(record IKM)") }

// RecordKey encrypts one manifest or one item: AES-256-GCM, with a random nonce before the ciphertext.
type RecordKey [keySize]byte

// Format prints a placeholder for every verb.
func (k RecordKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(storage record key)") }

// Seal encrypts a record.
func (k RecordKey) Seal(random io.Reader, record []byte) ([]byte, error) {
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(record)+tagSize)
	if _, err := io.ReadFull(random, out); err != nil {
		return nil, fmt.Errorf("generate nonce: %w", err)
	}
	return aead.Seal(out, out, record, nil), nil
}

// Open decrypts a record.
func (k RecordKey) Open(encrypted []byte) ([]byte, error) {
	if len(encrypted) < nonceSize+tagSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotReadable, len(encrypted))
	}
	aead, err := k.aead()
	if err != nil {
		return nil, err
	}
	record, err := aead.Open(nil, encrypted[:nonceSize], encrypted[nonceSize:], nil)
	if err != nil {
		return nil, ErrNotReadable
	}
	return record, nil
}

func (k RecordKey) aead() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, fmt.Errorf("storage cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("storage cipher: %w", err)
	}
	return aead, nil
}
