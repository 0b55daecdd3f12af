// Package stickercipher opens what the CDN keeps of a sticker pack: its manifest and its pictures, each encrypted with
// keys that derive from the pack's key.
//
// The form is that of old attachments: IV, AES-256-CBC, HMAC-SHA256 over both. Source: Signal-Desktop ts/Crypto.ts
// (deriveStickerPackKey). Fetching them, and sealing a pack, are not here.
package stickercipher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
)

const (
	// PackKeySize is the length of a pack's key.
	PackKeySize = 32

	info    = "Sticker Pack"
	aesSize = 32
	macSize = sha256.Size
)

// ErrCorrupt is for bytes that were not made with the pack's key, or were changed.
var ErrCorrupt = errors.New("the sticker does not open with this pack's key")

// Open decrypts a manifest or a picture.
func Open(packKey, encrypted []byte) ([]byte, error) {
	if len(packKey) != PackKeySize {
		return nil, fmt.Errorf("%w: a pack key of %d bytes", ErrCorrupt, len(packKey))
	}
	keys, err := hkdf.Key(sha256.New, packKey, make([]byte, sha256.Size), info, aesSize+macSize)
	if err != nil {
		return nil, fmt.Errorf("deriving a sticker's keys: %w", err)
	}
	body := len(encrypted) - macSize
	if body < 2*aes.BlockSize || body%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: %d bytes", ErrCorrupt, len(encrypted))
	}
	mac := hmac.New(sha256.New, keys[aesSize:])
	mac.Write(encrypted[:body])
	if !hmac.Equal(mac.Sum(nil), encrypted[body:]) {
		return nil, ErrCorrupt
	}
	return decrypt(keys[:aesSize], encrypted[:body])
}

// decrypt is AES-256-CBC with PKCS#7 padding. The MAC was checked before.
func decrypt(key, body []byte) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sticker cipher: %w", err)
	}
	out := make([]byte, len(body)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, body[:aes.BlockSize]).CryptBlocks(out, body[aes.BlockSize:])
	fill := int(out[len(out)-1])
	if fill == 0 || fill > aes.BlockSize {
		return nil, fmt.Errorf("%w: padding", ErrCorrupt)
	}
	return out[:len(out)-fill], nil
}
