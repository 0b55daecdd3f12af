// Package storagecipher seals and opens what the storage service keeps: the manifest and the items.
//
// Each is AES-256-GCM with a random 12-byte nonce in front and the tag behind. The manifest's key derives from the
// storage key and the version; an item's from the manifest's record key material and the item's key or, where an old
// manifest has no such material, from the storage key. Sources: Signal-Desktop ts/Crypto.ts and ts/services/storage.ts,
// mautrix/signal pkg/signalmeow/storageservice.go. Where the storage key comes from is the concern of accountkeys.
package storagecipher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16

	itemInfo = "20240801_SIGNAL_STORAGE_SERVICE_ITEM_"
)

// ErrWrongKey is for what does not open: another key, or changed bytes.
var ErrWrongKey = errors.New("the storage key does not open this")

// ErrMalformed is for what opens, but holds nonsense.
var ErrMalformed = errors.New("malformed storage record")

// ItemKeys are what the items' keys derive from.
type ItemKeys struct {
	StorageKey [keySize]byte
	// RecordIKM is the manifest's; empty in an old one.
	RecordIKM []byte
}

// OpenManifest decrypts a manifest and checks that its version is the one it is filed under.
func OpenManifest(storageKey [keySize]byte, m *servicepb.StorageManifest) (*servicepb.ManifestRecord, error) {
	plaintext, err := open(manifestKey(storageKey, m.GetVersion()), m.GetValue())
	if err != nil {
		return nil, fmt.Errorf("manifest %d: %w", m.GetVersion(), err)
	}
	record := &servicepb.ManifestRecord{}
	if proto.Unmarshal(plaintext, record) != nil {
		return nil, fmt.Errorf("manifest %d: %w", m.GetVersion(), ErrMalformed)
	}
	if record.GetVersion() != m.GetVersion() {
		return nil, fmt.Errorf("manifest %d: %w: it says version %d", m.GetVersion(), ErrMalformed, record.GetVersion())
	}
	return record, nil
}

// SealManifest encrypts a manifest under its own version.
func SealManifest(
	random io.Reader, storageKey [keySize]byte, r *servicepb.ManifestRecord,
) (*servicepb.StorageManifest, error) {
	plaintext, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	value, err := seal(random, manifestKey(storageKey, r.GetVersion()), plaintext)
	if err != nil {
		return nil, err
	}
	return &servicepb.StorageManifest{Version: proto.Uint64(r.GetVersion()), Value: value}, nil
}

// OpenItem decrypts one item.
func (k ItemKeys) OpenItem(item *servicepb.StorageItem) (*servicepb.StorageRecord, error) {
	key, err := k.itemKey(item.GetKey())
	if err != nil {
		return nil, err
	}
	plaintext, err := open(key, item.GetValue())
	if err != nil {
		return nil, fmt.Errorf("storage item: %w", err)
	}
	record := &servicepb.StorageRecord{}
	if proto.Unmarshal(plaintext, record) != nil {
		return nil, fmt.Errorf("storage item: %w", ErrMalformed)
	}
	return record, nil
}

// SealItem encrypts a record under the key by which the service knows it.
func (k ItemKeys) SealItem(random io.Reader, key []byte, r *servicepb.StorageRecord) (*servicepb.StorageItem, error) {
	plaintext, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("storage item: %w", err)
	}
	sealingKey, err := k.itemKey(key)
	if err != nil {
		return nil, err
	}
	value, err := seal(random, sealingKey, plaintext)
	if err != nil {
		return nil, err
	}
	return &servicepb.StorageItem{Key: key, Value: value}, nil
}

func manifestKey(storageKey [keySize]byte, version uint64) []byte {
	return hmacOf(storageKey, "Manifest_"+strconv.FormatUint(version, 10))
}

func (k ItemKeys) itemKey(item []byte) ([]byte, error) {
	if len(k.RecordIKM) == 0 {
		return hmacOf(k.StorageKey, "Item_"+base64.StdEncoding.EncodeToString(item)), nil
	}
	key, err := hkdf.Key(sha256.New, k.RecordIKM, nil, itemInfo+string(item), keySize)
	if err != nil {
		return nil, fmt.Errorf("deriving a storage item's key: %w", err)
	}
	return key, nil
}

func hmacOf(key [keySize]byte, text string) []byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(text))
	return h.Sum(nil)
}

func gcm(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("storage cipher: %w", err)
	}
	return cipher.NewGCM(block)
}

func open(key, sealed []byte) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrMalformed, len(sealed))
	}
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], nil)
	if err != nil {
		return nil, ErrWrongKey
	}
	return plaintext, nil
}

func seal(random io.Reader, key, plaintext []byte) ([]byte, error) {
	aead, err := gcm(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("reading randomness: %w", err)
	}
	return aead.Seal(nonce, nonce, plaintext, nil), nil
}
