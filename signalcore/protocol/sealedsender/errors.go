package sealedsender

import (
	"errors"
	"fmt"
)

// ErrInvalid is wrapped by every error that is the fault of the sealed message or of its certificate.
var ErrInvalid = errors.New("invalid sealed message")

// What in particular is wrong with a sealed message.
var (
	// ErrMalformed is returned for bytes that cannot be read.
	ErrMalformed = fmt.Errorf("%w: malformed", ErrInvalid)
	// ErrVersion is returned for a version that is neither 1 nor 2.
	ErrVersion = fmt.Errorf("%w: unknown version", ErrInvalid)
	// ErrNotDecryptable is returned for a message that was sealed for another identity, or was changed.
	ErrNotDecryptable = fmt.Errorf("%w: not sealed for this identity, or changed on its way", ErrInvalid)
	// ErrWrongSender is returned where the key that sealed the message is not the certificate's.
	ErrWrongSender = fmt.Errorf("%w: its certificate belongs to another sender", ErrInvalid)
	// ErrUntrusted is returned for a certificate that does not go back to a trust root.
	ErrUntrusted = fmt.Errorf("%w: its certificate is not signed by a trusted server", ErrInvalid)
	// ErrRevoked is returned for a sender certificate whose server certificate was revoked.
	ErrRevoked = fmt.Errorf("%w: its server certificate was revoked", ErrInvalid)
	// ErrUnknownServer is returned for a sender certificate that names a server certificate which is not built in.
	ErrUnknownServer = fmt.Errorf("%w: its server certificate is unknown", ErrInvalid)
	// ErrExpired is returned for a certificate that is no longer valid.
	ErrExpired = fmt.Errorf("%w: its certificate has expired", ErrInvalid)
	// ErrSelfSend is returned for a message which this very device sent.
	ErrSelfSend = fmt.Errorf("%w: this device sent it itself", ErrInvalid)
)

// ErrNoCertificate is returned for content that lacks a sender certificate.
var ErrNoCertificate = errors.New("sealing a message takes a sender certificate")

// ErrRecipient is returned for recipients that cannot be sealed for.
var ErrRecipient = errors.New("cannot seal for this recipient")
