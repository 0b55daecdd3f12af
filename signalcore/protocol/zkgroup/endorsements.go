package zkgroup

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"time"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkcredential"
)

// GroupSendEndorsement lets a member send to another member, or to several, sealed, without an access key (libsignal
// rust/zkgroup/src/api/groups/group_send_endorsement.rs). The bytes are its encoding, without libsignal's leading zero.
// The zero value is for nobody. It prints as a placeholder: with the group's keys, it is an authorisation.
type GroupSendEndorsement [ristretto.Size]byte

// Format prints a placeholder for every verb.
func (e GroupSendEndorsement) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "(group send endorsement)")
}

// GroupSendEndorsements are those of all members of a group.
type GroupSendEndorsements struct {
	// Expires is the begin of a UTC day.
	Expires time.Time
	// Combined is for all members but the account itself.
	Combined GroupSendEndorsement
	// Members has all members.
	Members map[serviceid.ServiceID]GroupSendEndorsement
}

// endorsementResponse is what the service issues for a group.
type endorsementResponse struct {
	endorsements zkcredential.EndorsementResponse
	expires      uint64
}

func (e endorsementResponse) serialize() []byte {
	return appendUint64(e.endorsements.Append([]byte{0}), e.expires)
}

func parseEndorsementResponse(b []byte) (endorsementResponse, error) {
	r := newReader("group send endorsements", b)
	r.version(0)
	e := endorsementResponse{endorsements: read(r, zkcredential.ReadEndorsementResponse), expires: r.uint64()}
	return e, r.done()
}

// endorsementTag is what the keys of a day are derived with.
func endorsementTag(expires uint64) *poksho.ShoHmacSha256 {
	return newSHO("20240215_Signal_GroupSendEndorsement", bigEndian(expires))
}

// ReceiveGroupSendEndorsements checks the service's endorsements of the group's full members, the account itself
// included. They have to expire at the begin of a UTC day, in two hours at the least and seven days at the most.
// ErrMalformed, ErrVerification.
func (p *ServerPublicParams) ReceiveGroupSendEndorsements(
	response []byte, members []serviceid.ServiceID, self serviceid.ServiceID, group *GroupSecretParams, now time.Time,
) (*GroupSendEndorsements, error) {
	if !slices.Contains(members, self) {
		return nil, fmt.Errorf("%w: group send endorsements: the account is no member", ErrVerification)
	}
	a1, _ := group.users.Scalars()
	points := make([]ristretto.Point, len(members))
	for i, id := range members {
		points[i] = userPoint(id).Mul(a1)
	}
	received, expires, err := p.receiveEndorsements(response, points, now)
	if err != nil {
		return nil, err
	}
	out := &GroupSendEndorsements{
		Expires: timeOf(expires), Members: make(map[serviceid.ServiceID]GroupSendEndorsement, len(members)),
	}
	var others []zkcredential.Endorsement
	for i, id := range members {
		out.Members[id] = received[i].Compressed
		if id != self {
			others = append(others, received[i].Endorsement)
		}
	}
	out.Combined = zkcredential.CombineEndorsements(others...).Compress()
	return out, nil
}

// ReceiveGroupSendEndorsementsOf is ReceiveGroupSendEndorsements for members by their ciphertexts, and returns the
// endorsements in that order, and when they expire. It is faster, for who has the ciphertexts.
func (p *ServerPublicParams) ReceiveGroupSendEndorsementsOf(response []byte, members [][]byte, now time.Time) (
	[]GroupSendEndorsement, time.Time, error,
) {
	points, err := memberPoints(members)
	if err != nil {
		return nil, time.Time{}, err
	}
	received, expires, err := p.receiveEndorsements(response, points, now)
	if err != nil {
		return nil, time.Time{}, err
	}
	out := make([]GroupSendEndorsement, len(received))
	for i := range received {
		out[i] = received[i].Compressed
	}
	return out, timeOf(expires), nil
}

func memberPoints(members [][]byte) ([]ristretto.Point, error) {
	points := make([]ristretto.Point, len(members))
	for i, member := range members {
		c, err := parseCiphertext("encrypted service id", member)
		if err != nil {
			return nil, err
		}
		points[i] = c[0]
	}
	return points, nil
}

// receiveEndorsements returns the endorsements in the order of points.
func (p *ServerPublicParams) receiveEndorsements(response []byte, points []ristretto.Point, now time.Time) (
	[]zkcredential.ReceivedEndorsement, uint64, error,
) {
	e, err := parseEndorsementResponse(response)
	if err != nil {
		return nil, 0, err
	}
	if err := checkEndorsementExpiry(e.expires, secondsOf(now)); err != nil {
		return nil, 0, err
	}
	sorted, order := sortPoints(points)
	received, err := e.endorsements.Receive(sorted, p.endorsements.DeriveKey(endorsementTag(e.expires)))
	if err != nil {
		return nil, 0, fmt.Errorf("%w: group send endorsements: %w", ErrVerification, err)
	}
	out := make([]zkcredential.ReceivedEndorsement, len(received))
	for i, original := range order {
		out[original] = received[i]
	}
	return out, e.expires, nil
}

// sortPoints returns the points in the order in which they are endorsed, that of their doubles' encodings, with the
// places that they had.
func sortPoints(points []ristretto.Point) (sorted []ristretto.Point, order []int) {
	keys := ristretto.EncodeDoubled(points)
	order = make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(keys[a][:], keys[b][:]) })
	sorted = make([]ristretto.Point, len(points))
	for i, original := range order {
		sorted[i] = points[original]
	}
	return sorted, order
}

// parse reads an endorsement for the operations below.
func (e GroupSendEndorsement) parse() (zkcredential.Endorsement, error) {
	parsed, err := zkcredential.ParseEndorsement(e[:])
	if err != nil {
		return parsed, fmt.Errorf("%w: group send endorsement", ErrMalformed)
	}
	return parsed, nil
}

func combine(endorsements []GroupSendEndorsement) (zkcredential.Endorsement, error) {
	parsed := make([]zkcredential.Endorsement, len(endorsements))
	for i, e := range endorsements {
		var err error
		if parsed[i], err = e.parse(); err != nil {
			return zkcredential.Endorsement{}, err
		}
	}
	return zkcredential.CombineEndorsements(parsed...), nil
}

// CombineEndorsements returns the endorsement for all members of several, which have to be of one response.
// ErrMalformed.
func CombineEndorsements(endorsements ...GroupSendEndorsement) (GroupSendEndorsement, error) {
	combined, err := combine(endorsements)
	if err != nil {
		return GroupSendEndorsement{}, err
	}
	return combined.Compress(), nil
}

// Without returns e without members that were combined in it. ErrMalformed.
func (e GroupSendEndorsement) Without(unwanted ...GroupSendEndorsement) (GroupSendEndorsement, error) {
	from, err := e.parse()
	if err != nil {
		return GroupSendEndorsement{}, err
	}
	combined, err := combine(unwanted)
	if err != nil {
		return GroupSendEndorsement{}, err
	}
	return from.Remove(combined).Compress(), nil
}

// Token returns the serialised full token, 33 bytes, with which to send to exactly the members that the endorsement is
// for. expires is that of the endorsements. ErrMalformed.
func (e GroupSendEndorsement) Token(group *GroupSecretParams, expires time.Time) ([]byte, error) {
	parsed, err := e.parse()
	if err != nil {
		return nil, err
	}
	token := parsed.Token(group.users.EndorsementDecryptionKey())
	return appendUint64(appendBytes([]byte{0}, token[:]), secondsOf(expires)), nil
}
