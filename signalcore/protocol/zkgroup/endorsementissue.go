package zkgroup

import (
	"fmt"
	"io"
	"time"

	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

// The times of libsignal rust/zkgroup/src/api/endorsement_expiration.rs, in seconds.
const (
	hour                = 60 * 60
	minEndorsementLasts = 2 * hour // for clocks that are off
	maxEndorsementLasts = 7 * day  // a longer time could mark an account
)

// checkEndorsementExpiry refuses times by which the service could recognise an account, or that are (nearly) over.
func checkEndorsementExpiry(expires, now uint64) error {
	left := max(expires, now) - now
	if !isDayAligned(expires) || left < minEndorsementLasts || left > maxEndorsementLasts {
		return fmt.Errorf("%w: group send endorsements: they expire at %d s, %d s from now", ErrVerification, expires, left)
	}
	return nil
}

// GroupSendExpiration returns when endorsements expire that are issued now: at the end of the next UTC day, or one day
// later if that is less than 25 hours away.
func GroupSendExpiration(now time.Time) time.Time {
	current := secondsOf(now)
	expires := current - current%day + 2*day
	if expires-current < day+hour {
		expires += day
	}
	return timeOf(expires)
}

// GroupSendKeyPair issues the endorsements that expire at one time, and verifies their tokens. It prints as a
// placeholder.
type GroupSendKeyPair struct {
	keys    zkcredential.EndorsementKeyPair
	expires uint64
}

// Format prints a placeholder for every verb.
func (k *GroupSendKeyPair) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(group send key pair)")
}

// GroupSendKeyPair derives the keys for endorsements that expire at a time.
func (p *ServerSecretParams) GroupSendKeyPair(expires time.Time) *GroupSendKeyPair {
	at := secondsOf(expires)
	return &GroupSendKeyPair{keys: p.endorsements.DeriveKey(endorsementTag(at)), expires: at}
}

// IssueGroupSendEndorsements endorses a group's full members, by the ciphertexts of their service ids: at least one.
// ErrMalformed.
func (k *GroupSendKeyPair) IssueGroupSendEndorsements(random io.Reader, members [][]byte) ([]byte, error) {
	points, err := memberPoints(members)
	if err != nil {
		return nil, err
	}
	randomness, err := readRandomness(random)
	if err != nil {
		return nil, err
	}
	sorted, _ := sortPoints(points)
	endorsements, err := zkcredential.IssueEndorsements(sorted, k.keys, randomness)
	if err != nil {
		return nil, fmt.Errorf("zkgroup: issue group send endorsements: %w", err)
	}
	return endorsementResponse{endorsements, k.expires}.serialize(), nil
}

// groupSendToken is a full token: what was made of an endorsement, and when that expires.
type groupSendToken struct {
	token   []byte
	expires uint64
}

func parseGroupSendToken(b []byte) (groupSendToken, error) {
	r := newReader("group send token", b)
	r.version(0)
	t := groupSendToken{token: r.bytes(), expires: r.uint64()}
	return t, r.done()
}

// GroupSendTokenExpires returns the time of a full token, by which the service finds the key pair. ErrMalformed.
func GroupSendTokenExpires(token []byte) (time.Time, error) {
	t, err := parseGroupSendToken(token)
	if err != nil {
		return time.Time{}, err
	}
	return timeOf(t.expires), nil
}

// VerifyGroupSendToken checks that a full token is for exactly these members, and has not expired. ErrMalformed,
// ErrVerification.
func (k *GroupSendKeyPair) VerifyGroupSendToken(token []byte, members []serviceid.ServiceID, now time.Time) error {
	t, err := parseGroupSendToken(token)
	if err != nil {
		return err
	}
	if secondsOf(now) > t.expires || t.expires != k.expires {
		return fmt.Errorf("%w: group send token: expired, or of another day", ErrVerification)
	}
	var sum ristretto.Point
	for _, id := range members {
		sum = sum.Add(userPoint(id))
	}
	if err := k.keys.VerifyToken(sum, t.token); err != nil {
		return fmt.Errorf("%w: group send token", ErrVerification)
	}
	return nil
}
