// Package profilecipher encrypts and decrypts the fields of a profile under the account's profile key: AES-256-GCM
// with a random nonce before the ciphertext, and zeros that fill the text up to one of a few lengths.
//
// Sources: Signal-Desktop ts/Crypto.node.ts, Signal-Android ProfileCipher.java. What else the profile key gives, such
// as the access key and its verifier, is in package profilekey.
package profilecipher

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"strings"

	"signalbox/signalcore/protocol/profilekey"
)

const (
	nonceSize = 12
	tagSize   = 16
)

// The lengths to which a field's plaintext is filled up; a text takes the first that holds it. How long an emoji is
// need not be hidden further.
var (
	nameLengths  = []int{53, 257}
	aboutLengths = []int{128, 254, 512}
	emojiLengths = []int{32}
	flagLengths  = []int{1}
)

var (
	// ErrTooLong is returned for a text that no padded length of its field holds.
	ErrTooLong = errors.New("profile field is too long")
	// ErrNotReadable is returned for a field that this profile key does not open: mostly, the account has a new one.
	ErrNotReadable = errors.New("profile field cannot be decrypted with the known profile key")
	// ErrMalformedName is returned for a name which contains the NUL that separates its parts.
	ErrMalformedName = errors.New("profile name contains a NUL character")
)

// Name is a profile name. Family may be empty.
type Name struct{ Given, Family string }

// String returns the parts with a space between them.
func (n Name) String() string { return strings.TrimSpace(n.Given + " " + n.Family) }

// EncryptName encrypts a name.
func EncryptName(random io.Reader, key profilekey.Key, name Name) ([]byte, error) {
	if strings.ContainsRune(name.Given+name.Family, 0) {
		return nil, ErrMalformedName
	}
	text := name.Given
	if name.Family != "" {
		text += "\x00" + name.Family
	}
	return encryptPadded(random, key, []byte(text), nameLengths)
}

// DecryptName decrypts a name. As in the apps, a third part is ignored.
func DecryptName(key profilekey.Key, encrypted []byte) (Name, error) {
	padded, err := open(key, encrypted)
	if err != nil {
		return Name{}, err
	}
	given, rest, _ := bytes.Cut(padded, []byte{0})
	family, _, _ := bytes.Cut(rest, []byte{0})
	return Name{Given: text(given), Family: text(family)}, nil
}

// EncryptAbout encrypts the line that a person wrote about themselves.
func EncryptAbout(random io.Reader, key profilekey.Key, about string) ([]byte, error) {
	return encryptPadded(random, key, []byte(about), aboutLengths)
}

// EncryptEmoji encrypts the emoji that stands before that line.
func EncryptEmoji(random io.Reader, key profilekey.Key, emoji string) ([]byte, error) {
	return encryptPadded(random, key, []byte(emoji), emojiLengths)
}

// DecryptText decrypts about or its emoji.
func DecryptText(key profilekey.Key, encrypted []byte) (string, error) {
	padded, err := open(key, encrypted)
	if err != nil {
		return "", err
	}
	return text(bytes.TrimRight(padded, "\x00")), nil
}

// EncryptFlag encrypts a boolean, such as phoneNumberSharing.
func EncryptFlag(random io.Reader, key profilekey.Key, flag bool) ([]byte, error) {
	value := []byte{0}
	if flag {
		value[0] = 1
	}
	return encryptPadded(random, key, value, flagLengths)
}

// DecryptFlag decrypts a boolean, such as phoneNumberSharing.
func DecryptFlag(key profilekey.Key, encrypted []byte) (bool, error) {
	value, err := open(key, encrypted)
	if err != nil {
		return false, err
	}
	return value[0] != 0, nil
}

// EncryptAvatar encrypts an image, whose length is not hidden.
func EncryptAvatar(random io.Reader, key profilekey.Key, image []byte) ([]byte, error) {
	return seal(random, key, image)
}

// DecryptAvatar decrypts an image.
func DecryptAvatar(key profilekey.Key, encrypted []byte) ([]byte, error) { return open(key, encrypted) }

func encryptPadded(random io.Reader, key profilekey.Key, plaintext []byte, lengths []int) ([]byte, error) {
	for _, length := range lengths {
		if len(plaintext) <= length {
			padded := make([]byte, length)
			copy(padded, plaintext)
			return seal(random, key, padded)
		}
	}
	return nil, fmt.Errorf("%w: %d bytes", ErrTooLong, len(plaintext))
}

func seal(random io.Reader, key profilekey.Key, plaintext []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	if _, err := io.ReadFull(random, out); err != nil {
		return nil, fmt.Errorf("generate nonce: %w", err)
	}
	return aead.Seal(out, out, plaintext, nil), nil
}

// open returns at least one byte.
func open(key profilekey.Key, encrypted []byte) ([]byte, error) {
	if len(encrypted) < nonceSize+1+tagSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotReadable, len(encrypted))
	}
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, encrypted[:nonceSize], encrypted[nonceSize:], nil)
	if err != nil {
		return nil, ErrNotReadable
	}
	return plaintext, nil
}

func newAEAD(key profilekey.Key) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("profile cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("profile cipher: %w", err)
	}
	return aead, nil
}

// text keeps what a contact wrote fit for JSON.
func text(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }
