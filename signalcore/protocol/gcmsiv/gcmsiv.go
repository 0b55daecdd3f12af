// Package gcmsiv encrypts with AES-256-GCM-SIV (RFC 8452), which the standard library has not. Sealed sender v2 uses it
// with a nonce of zeros, and the encrypted fields of a group with a random one.
//
// Key derivation of either, and the 128-bit variant, are not here.
package gcmsiv

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
)

// Sizes of RFC 8452, in bytes.
const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16
)

// ErrOpen is returned for what does not authenticate: another key, nonce or additional data, or changed bytes.
var ErrOpen = errors.New("AES-GCM-SIV authentication failed")

// Seal returns plaintext encrypted, with the tag behind it.
func Seal(key [KeySize]byte, nonce [NonceSize]byte, plaintext, additional []byte) []byte {
	k := derive(key, nonce)
	tag := k.tag(plaintext, additional, nonce)
	out := make([]byte, len(plaintext), len(plaintext)+TagSize)
	k.counter(tag, out, plaintext)
	return append(out, tag[:]...)
}

// Open returns the plaintext of what Seal made.
func Open(key [KeySize]byte, nonce [NonceSize]byte, sealed, additional []byte) ([]byte, error) {
	if len(sealed) < TagSize {
		return nil, ErrOpen
	}
	k := derive(key, nonce)
	ciphertext, theirs := sealed[:len(sealed)-TagSize], sealed[len(sealed)-TagSize:]
	out := make([]byte, len(ciphertext))
	k.counter([TagSize]byte(theirs), out, ciphertext)
	ours := k.tag(out, additional, nonce)
	if subtle.ConstantTimeCompare(ours[:], theirs) != 1 {
		return nil, ErrOpen
	}
	return out, nil
}

// keys are the authentication and the encryption key of one nonce.
type keys struct {
	auth  fieldElement
	block cipher.Block
}

// derive is RFC 8452, section 4, derive_keys.
func derive(key [KeySize]byte, nonce [NonceSize]byte) keys {
	generator := newCipher(key[:])
	var derived [6 * 8]byte
	for i := range 6 {
		var in, out [aes.BlockSize]byte
		in[0] = byte(i)
		copy(in[4:], nonce[:])
		generator.Encrypt(out[:], in[:])
		copy(derived[i*8:], out[:8])
	}
	return keys{auth: elementOf(derived[:16]), block: newCipher(derived[16:])}
}

func newCipher(key []byte) cipher.Block {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("32 bytes are an AES key: " + err.Error())
	}
	return block
}

// tag is RFC 8452, section 4, the synthetic initialisation vector.
func (k keys) tag(plaintext, additional []byte, nonce [NonceSize]byte) [TagSize]byte {
	hash := polyval{key: k.auth}
	hash.update(additional)
	hash.update(plaintext)
	var lengths [16]byte
	binary.LittleEndian.PutUint64(lengths[:], uint64(len(additional))*8)
	binary.LittleEndian.PutUint64(lengths[8:], uint64(len(plaintext))*8)
	hash.update(lengths[:])
	sum := hash.sum()
	subtle.XORBytes(sum[:], sum[:], nonce[:])
	sum[15] &= 0x7f
	k.block.Encrypt(sum[:], sum[:])
	return sum
}

// counter encrypts in to out by the key stream that begins at the tag.
func (k keys) counter(tag [16]byte, out, in []byte) {
	at := tag
	at[15] |= 0x80
	var stream [16]byte
	for n := binary.LittleEndian.Uint32(at[:]); len(in) > 0; n++ {
		binary.LittleEndian.PutUint32(at[:], n)
		k.block.Encrypt(stream[:], at[:])
		done := subtle.XORBytes(out, in, stream[:])
		out, in = out[done:], in[done:]
	}
}
