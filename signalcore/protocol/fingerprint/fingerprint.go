// Package fingerprint computes safety numbers: what two people compare, by eye or by camera, to know that nobody sits
// between them.
//
// Source: libsignal rust/protocol/src/fingerprint.rs. Which identities a person has verified is the client's to keep.
package fingerprint

import (
	"crypto/sha512"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/fingerprintpb"
)

const (
	iterations = 5200
	// version is that of fingerprints over service ids; version 1 was over phone numbers, and has the same hash.
	version = 2
	// scannableSize is how much of a hash the scannable form holds.
	scannableSize = 32
	// maxScannable bounds what is read; the form is 72 bytes long.
	maxScannable = 1024
)

var (
	// ErrMalformed is returned for bytes that are no scannable fingerprint.
	ErrMalformed = errors.New("malformed safety number")
	// ErrVersion is returned where the other app computes safety numbers of another version.
	ErrVersion = errors.New("safety number is of another version")
)

// Party is one of the two whose keys are compared.
type Party struct {
	ServiceID serviceid.ServiceID
	Identity  curve.PublicKey
}

// Fingerprint is the safety number of two parties. It is the same for both, but for which of them is local.
type Fingerprint struct{ local, remote [sha512.Size]byte }

// New computes the fingerprint; this takes some milliseconds by design.
func New(local, remote Party) Fingerprint {
	return Fingerprint{local: local.hash(), remote: remote.hash()}
}

func (p Party) hash() [sha512.Size]byte {
	key := p.Identity.Serialize()
	var input []byte
	input = append(input, 0, 0) // the version of the hash itself
	input = append(input, key...)
	input = append(input, p.ServiceID.Binary()...)
	input = append(input, key...)
	sum := sha512.Sum512(input)
	for range iterations - 1 {
		sum = sha512.Sum512(append(append(input[:0], sum[:]...), key...))
	}
	return sum
}

// Digits returns the numeric form: 60 digits, the same on both sides.
func (f Fingerprint) Digits() string {
	local, remote := digits(f.local), digits(f.remote)
	return min(local, remote) + max(local, remote)
}

// digits shows 30 bytes of a hash, each five of them as five digits.
func digits(hash [sha512.Size]byte) string {
	var out strings.Builder
	for at := 0; at < 30; at += 5 {
		var n uint64
		for _, b := range hash[at : at+5] {
			n = n<<8 | uint64(b)
		}
		fmt.Fprintf(&out, "%05d", n%100_000)
	}
	return out.String()
}

// Scannable returns the bytes that a QR code holds (in ISO-8859-1, as the apps have it).
func (f Fingerprint) Scannable() ([]byte, error) {
	scannable, err := proto.Marshal(&fingerprintpb.CombinedFingerprints{
		Version: proto.Uint32(version),
		Local:   &fingerprintpb.LogicalFingerprint{Content: f.local[:scannableSize]},
		Remote:  &fingerprintpb.LogicalFingerprint{Content: f.remote[:scannableSize]},
	})
	if err != nil {
		return nil, fmt.Errorf("encode safety number: %w", err)
	}
	return scannable, nil
}

// Matches compares with what was scanned from the other party's screen, where local and remote are the other way
// about.
func (f Fingerprint) Matches(scanned []byte) (bool, error) {
	var theirs fingerprintpb.CombinedFingerprints
	if len(scanned) > maxScannable || proto.Unmarshal(scanned, &theirs) != nil {
		return false, ErrMalformed
	}
	if theirs.GetVersion() != version {
		return false, fmt.Errorf("%w: %d", ErrVersion, theirs.GetVersion())
	}
	local, remote := theirs.GetLocal().GetContent(), theirs.GetRemote().GetContent()
	if local == nil || remote == nil {
		return false, ErrMalformed
	}
	same := subtle.ConstantTimeCompare(local, f.remote[:scannableSize]) &
		subtle.ConstantTimeCompare(remote, f.local[:scannableSize])
	return same == 1, nil
}
