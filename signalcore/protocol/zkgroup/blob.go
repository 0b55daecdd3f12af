package zkgroup

import (
	"encoding/binary"
	"fmt"
	"io"

	"signalbox/signalcore/protocol/gcmsiv"
)

// An encrypted blob is the ciphertext with its tag, the nonce, and a byte that is 0. In it, four bytes in big-endian
// order say how many zeros follow the content.
const (
	blobPaddingSize = 4
	blobTrailer     = gcmsiv.NonceSize + 1
	// maxBlobPadding bounds the padding, which is memory.
	maxBlobPadding = 1 << 26
)

// EncryptBlob encrypts a field of the group, such as its title, with padding bytes of padding. The encrypted length is
// that of plaintext and padding, and 33 bytes.
func (p *GroupSecretParams) EncryptBlob(random io.Reader, plaintext []byte, padding uint32) ([]byte, error) {
	if padding > maxBlobPadding {
		return nil, fmt.Errorf("zkgroup: %d bytes of padding are too many", padding)
	}
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	sho := newSHO("Signal_ZKGroup_20200424_Random_GroupSecretParams_EncryptBlob", randomness[:])
	nonce := [gcmsiv.NonceSize]byte(sho.SqueezeAndRatchet(gcmsiv.NonceSize))
	padded := make([]byte, blobPaddingSize+len(plaintext)+int(padding))
	binary.BigEndian.PutUint32(padded, padding)
	copy(padded[blobPaddingSize:], plaintext)
	out := gcmsiv.Seal(p.blobKey, nonce, padded, nil)
	return append(append(out, nonce[:]...), 0), nil
}

// DecryptBlob decrypts what EncryptBlob made. ErrMalformed, ErrVerification.
func (p *GroupSecretParams) DecryptBlob(encrypted []byte) ([]byte, error) {
	if len(encrypted) < blobTrailer+gcmsiv.TagSize {
		return nil, fmt.Errorf("%w: encrypted blob: %d bytes", ErrMalformed, len(encrypted))
	}
	sealed, trailer := encrypted[:len(encrypted)-blobTrailer], encrypted[len(encrypted)-blobTrailer:]
	padded, err := gcmsiv.Open(p.blobKey, [gcmsiv.NonceSize]byte(trailer), sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: encrypted blob", ErrVerification)
	}
	if len(padded) < blobPaddingSize {
		return nil, fmt.Errorf("%w: encrypted blob: no padding length", ErrMalformed)
	}
	content, padding := padded[blobPaddingSize:], binary.BigEndian.Uint32(padded)
	if uint64(padding) > uint64(len(content)) {
		return nil, fmt.Errorf("%w: encrypted blob: more padding than content", ErrMalformed)
	}
	return content[:len(content)-int(padding)], nil
}
