// Package padding hides the length of a message: a byte 0x80 and zeros fill it up before it is encrypted.
//
// Sources: Signal-Android PushTransportDetails.java, Signal-Desktop ts/textsecure/OutgoingMessage.preload.ts. The
// padding of attachments and of profile fields is another one; it lives with their ciphers.
package padding

import (
	"bytes"
	"errors"
)

const (
	block      = 80
	terminator = 0x80
)

// ErrMalformed is returned for bytes which do not end in a terminator and zeros.
var ErrMalformed = errors.New("malformed message padding")

// Add returns a padded copy, one byte shorter than a multiple of 80: the block cipher beneath adds at least that byte.
func Add(message []byte) []byte {
	blocks := (len(message) + 2 + block - 1) / block
	padded := make([]byte, blocks*block-1)
	copy(padded, message)
	padded[len(message)] = terminator
	return padded
}

// Strip returns the message within padded, without copying it. Any number of zeros is accepted, as every sender
// chooses its own block length.
func Strip(padded []byte) ([]byte, error) {
	end := len(bytes.TrimRight(padded, "\x00")) - 1
	if end < 0 || padded[end] != terminator {
		return nil, ErrMalformed
	}
	return padded[:end], nil
}
