package session

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"fmt"

	"signalbox/signalcore/protocol/ratchet"
)

// encryptCBC is AES-256-CBC with PKCS#7 padding.
func encryptCBC(keys *ratchet.MessageKeys, plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(keys.Cipher[:])
	if err != nil {
		return nil, fmt.Errorf("encrypting: %w", err)
	}
	fill := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := make([]byte, len(plaintext)+fill)
	copy(out, plaintext)
	copy(out[len(plaintext):], bytes.Repeat([]byte{byte(fill)}, fill))
	cipher.NewCBCEncrypter(block, keys.IV[:]).CryptBlocks(out, out)
	return out, nil
}

// decryptCBC undoes encryptCBC. The MAC was checked before, so that the padding tells an attacker nothing.
func decryptCBC(keys *ratchet.MessageKeys, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: ciphertext of %d bytes", ErrInvalid, len(ciphertext))
	}
	block, err := aes.NewCipher(keys.Cipher[:])
	if err != nil {
		return nil, fmt.Errorf("decrypting: %w", err)
	}
	out := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, keys.IV[:]).CryptBlocks(out, ciphertext)
	fill := int(out[len(out)-1])
	if fill == 0 || fill > aes.BlockSize ||
		!bytes.Equal(out[len(out)-fill:], bytes.Repeat([]byte{byte(fill)}, fill)) {
		return nil, fmt.Errorf("%w: padding", ErrInvalid)
	}
	return out[:len(out)-fill], nil
}
