// Package zkcredential has Signal's anonymous credentials and endorsements, from which the credentials for groups are
// built. An issuing server makes a credential over attributes (a MAC that its own key pair can check) and proves that
// it did so honestly; the client verifies that (Issuance), and later proves to the verifying server, in a presentation
// that cannot be linked to the issuance, that it holds a credential over attributes of which the server sees only the
// encryption (Presentation, PresentationCheck). Endorsements are the light alternative for one hidden attribute, with
// tokens that can be used more than once.
//
// Sources: libsignal rust/zkcredential, byte for byte; Chase, Perrin and Zaverucha, "The Signal Private Group System
// and Anonymous Credentials Supporting Efficient Verifiable Encryption" (eprint 2019/1416). The attributes of groups,
// and the older credential for profile keys, are in package zkgroup.
package zkcredential

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/poksho"
)

var (
	// ErrMalformed is returned for bytes that are no serialised value.
	ErrMalformed = errors.New("malformed zero-knowledge credential")
	// ErrVerification is returned for what does not verify: a response or presentation that was not made honestly, or
	// for other attributes, or with another key.
	ErrVerification = errors.New("zero-knowledge credential does not verify")
	// ErrArguments is returned for attributes or keys that cannot be used as they were: a mistake of the caller.
	ErrArguments = errors.New("attributes do not fit a credential")
)

// RandomSize is the length of the randomness that operations take. It may be used once: a second operation with the
// same randomness reveals secrets.
const RandomSize = 32

// maxPoints is how many attribute points a credential has at most: one for all public attributes, and six.
const maxPoints = 7

// checked turns the outcome of a proof's verification into this package's errors.
func checked(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%w: %s", ErrVerification, what)
	}
	return nil
}

// proven turns the outcome of a proof's creation into this package's errors.
func proven(what string, err error) error {
	switch {
	case errors.Is(err, poksho.ErrFalse):
		return fmt.Errorf("%w: %s: %w", ErrArguments, what, err)
	case err != nil:
		return fmt.Errorf("%w: %s", ErrArguments, what)
	default:
		return nil
	}
}
