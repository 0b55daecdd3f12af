package session

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/ratchet"
	"signalbox/signalcore/signalpb/sessionpb"
)

// state is one session. It is never changed; what advances it makes a copy.
type state struct {
	localIdentity        curve.PublicKey
	remoteIdentity       curve.PublicKey
	localRegistrationID  uint32
	remoteRegistrationID uint32
	baseKey              curve.PublicKey
	pending              *sessionpb.Pending // nil once the other side has answered
	ratchet              ratchet.State
}

func (s *state) serialize() []byte {
	// Marshalling fails on invalid UTF-8 and on missing required fields only, and there is neither.
	b, _ := proto.Marshal(&sessionpb.Session{
		Version:              version,
		LocalIdentity:        s.localIdentity[:],
		RemoteIdentity:       s.remoteIdentity[:],
		LocalRegistrationId:  s.localRegistrationID,
		RemoteRegistrationId: s.remoteRegistrationID,
		BaseKey:              s.baseKey[:],
		Pending:              s.pending,
		Ratchet:              s.ratchet.Proto(),
	})
	return b
}

func parseState(b []byte) (*state, error) {
	var pb sessionpb.Session
	if err := proto.Unmarshal(b, &pb); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if pb.GetVersion() != version {
		return nil, fmt.Errorf("%w: session version %d", ErrCorrupt, pb.GetVersion())
	}
	for _, key := range [][]byte{pb.GetLocalIdentity(), pb.GetRemoteIdentity(), pb.GetBaseKey()} {
		if len(key) != curve.KeySize {
			return nil, fmt.Errorf("%w: key of %d bytes", ErrCorrupt, len(key))
		}
	}
	ratchets, err := ratchet.FromProto(pb.GetRatchet())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return &state{
		localIdentity:        curve.PublicKey(pb.GetLocalIdentity()),
		remoteIdentity:       curve.PublicKey(pb.GetRemoteIdentity()),
		localRegistrationID:  pb.GetLocalRegistrationId(),
		remoteRegistrationID: pb.GetRemoteRegistrationId(),
		baseKey:              curve.PublicKey(pb.GetBaseKey()),
		pending:              pb.GetPending(),
		ratchet:              ratchets,
	}, nil
}

// unanswered reports whether the other side has not answered for too long.
func (s *state) unanswered(now time.Time) bool {
	return s.pending != nil && time.Unix(int64(s.pending.GetCreated()), 0).Add(MaxUnacknowledgedAge).Before(now)
}

// self reports whether both ends are devices of one account.
func (s *state) self(ends Ends) bool {
	return s.localIdentity == s.remoteIdentity && ends.Local.ServiceID == ends.Remote.ServiceID
}

// baseKeyOf reads the base key of a stored session without parsing the rest.
func baseKeyOf(stored []byte) (curve.PublicKey, bool) {
	const baseKeyField = 6
	for len(stored) > 0 {
		number, kind, n := protowire.ConsumeTag(stored)
		if n < 0 {
			break
		}
		stored = stored[n:]
		if number == baseKeyField && kind == protowire.BytesType {
			value, n := protowire.ConsumeBytes(stored)
			if n < 0 || len(value) != curve.KeySize {
				break
			}
			return curve.PublicKey(value), true
		}
		if n = protowire.ConsumeFieldValue(number, kind, stored); n < 0 {
			break
		}
		stored = stored[n:]
	}
	return curve.PublicKey{}, false
}
