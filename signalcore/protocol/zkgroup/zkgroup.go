// Package zkgroup is the private group system of Signal: the keys of a group and what they encrypt, the credentials by
// which a member proves to the service that he may act, without saying who he is, and the endorsements by which a
// group's members may send to each other. Both sides are here: the client's, and the service's for tests and stand-ins.
//
// Serialised forms are libsignal's byte for byte. Whatever takes random takes 32 bytes of it, so that the same bytes
// give the same output as libsignal's functions with explicit randomness.
//
// Sources: libsignal rust/zkgroup; Chase, Perrin, Zaverucha, "The Signal Private Group System and Anonymous Credentials
// Supporting Efficient Verifiable Encryption" (eprint 2019/1416). The proofs are in packages poksho and zkcredential;
// the access key and the version of a profile key in package profilekey; a group's state is not here, nor are the
// credentials for receipts, backups, call links and donations.
package zkgroup

import (
	"errors"
	"fmt"
	"io"
	"time"
)

var (
	// ErrMalformed is returned for bytes that cannot be parsed: a wrong length, version, point or scalar.
	ErrMalformed = errors.New("malformed zkgroup value")
	// ErrVerification is returned for what can be parsed and does not verify or decrypt: another key, another account,
	// a time out of bounds, changed bytes.
	ErrVerification = errors.New("zkgroup verification failed")
)

// randomnessSize is how much of random one operation takes.
const randomnessSize = 32

func readRandomness(random io.Reader) ([randomnessSize]byte, error) {
	var out [randomnessSize]byte
	if _, err := io.ReadFull(random, out[:]); err != nil {
		return out, fmt.Errorf("zkgroup: read randomness: %w", err)
	}
	return out, nil
}

const day = 24 * 60 * 60 // seconds

// secondsOf returns t in seconds since the epoch; a time before it counts as the epoch.
func secondsOf(t time.Time) uint64 { return uint64(max(t.Unix(), 0)) }

// latestTime bounds the times that are read, so that they fit time.Time: in seconds, some 34,000 years.
const latestTime = 1 << 40

func timeOf(seconds uint64) time.Time { return time.Unix(int64(min(seconds, latestTime)), 0).UTC() }

func isDayAligned(seconds uint64) bool { return seconds%day == 0 }
