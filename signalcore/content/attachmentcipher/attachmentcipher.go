// Package attachmentcipher encrypts and decrypts attachments as streams, in constant memory: AES-256-CBC with
// HMAC-SHA256, over a plaintext that zeros fill up to one of a few sizes.
//
// An encrypted attachment is iv || ciphertext || mac, the MAC over what precedes it. The pointer in the message
// carries the key, the plaintext's size, the SHA-256 of the whole (the digest), and for long media an incremental MAC,
// with which a player checks the beginning before it has the end.
//
// Sources: Signal-Desktop ts/AttachmentCrypto.node.ts and ts/util/logPadding.node.ts, libsignal
// rust/protocol/src/incremental_mac.rs. Where the bytes travel to and from is the service package's business; profile
// and group avatars have ciphers of their own.
package attachmentcipher

import (
	"crypto/aes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	keySize = 64
	aesSize = 32
	ivSize  = aes.BlockSize
	macSize = sha256.Size
	// chunk is how much is read, hashed and written at a time.
	chunk = 64 << 10
	// maxSize bounds what a pointer may announce; the service takes far less.
	maxSize = 1 << 40
)

// ErrCorrupt is wrapped by every error that means: these bytes are not what the sender uploaded.
var ErrCorrupt = errors.New("attachment is corrupt")

// What in particular is wrong with a corrupt attachment.
var (
	ErrTruncated      = fmt.Errorf("%w: it is cut short", ErrCorrupt)
	ErrTooLong        = fmt.Errorf("%w: it is longer than its size allows", ErrCorrupt)
	ErrMAC            = fmt.Errorf("%w: its MAC does not match", ErrCorrupt)
	ErrDigest         = fmt.Errorf("%w: its digest does not match", ErrCorrupt)
	ErrPlaintextHash  = fmt.Errorf("%w: the hash of its plaintext does not match", ErrCorrupt)
	ErrIncrementalMAC = fmt.Errorf("%w: its incremental MAC does not match", ErrCorrupt)
	ErrBlockPadding   = fmt.Errorf("%w: its last block is malformed", ErrCorrupt)
)

// ErrKey is returned for a key that is not 64 bytes long.
var ErrKey = errors.New("attachment key must be 64 bytes long")

// ErrSourceSize is returned where a plaintext turns out longer or shorter than announced.
var ErrSourceSize = errors.New("attachment's plaintext has not the announced size")

// ErrNoDigest is returned where neither a digest nor a plaintext hash is there to check against.
var ErrNoDigest = errors.New("attachment comes without a digest")

// Key is the AES key and the MAC key of one attachment, in that order: the pointer's key field.
type Key [keySize]byte

// GenerateKey returns a fresh key. A key is for one attachment only.
func GenerateKey(random io.Reader) (Key, error) {
	var key Key
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return Key{}, fmt.Errorf("generate attachment key: %w", err)
	}
	return key, nil
}

// ParseKey reads the pointer's key field.
func ParseKey(b []byte) (Key, error) {
	if len(b) != keySize {
		return Key{}, fmt.Errorf("%w, not %d", ErrKey, len(b))
	}
	return Key(b), nil
}

func (k *Key) aes() []byte { return k[:aesSize] }
func (k *Key) mac() []byte { return k[aesSize:] }

const (
	smallestBucket = 541
	bucketGrowth   = 1.05
)

// PaddedSize returns the size to which a plaintext is filled up: the next power of 1.05, rounded down, and at least
// 541, so that little can be told from it.
func PaddedSize(size int64) int64 {
	if size <= smallestBucket {
		return smallestBucket
	}
	exponent := math.Ceil(math.Log(float64(size)) / math.Log(bucketGrowth))
	padded := int64(math.Floor(math.Pow(bucketGrowth, exponent)))
	// A power of 1.05 rounded down can fall short of a size just above the bucket before.
	return max(padded, size)
}

// EncryptedSize returns how many bytes a plaintext of the given size becomes: the length of the upload.
func EncryptedSize(size int64) int64 {
	return ivSize + (PaddedSize(size)/aes.BlockSize+1)*aes.BlockSize + macSize
}
