package signalcore

import (
	"context"
	"errors"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// endorsementMargin is how much life endorsements must have left to be used: they must hold until the last attempt of
	// a send. The service issues them for a day or two.
	endorsementMargin = 2 * time.Hour
	// endorsementRetry is between questions to a service that gave none.
	endorsementRetry = 10 * time.Minute
)

// errNoEndorsements is for a group of whose members the service gave no endorsements that verify.
var errNoEndorsements = errors.New("the service gave no endorsements for the group's members")

// endorsements returns what lets this account write to each member of a group without saying who it is, and to all of
// them together. They are those of the members as known names them; where these are not stored, or end soon, the group is
// fetched anew. model.ErrNotAGroupMember, errNoEndorsements, and those of sync.
func (k *groupKeeper) endorsements(ctx context.Context, known *knownGroup) (*zkgroup.GroupSendEndorsements, error) {
	if !known.isMember() {
		return nil, model.ErrNotAGroupMember
	}
	stored, err := k.storedEndorsements(known)
	if err != nil || stored != nil {
		return stored, err
	}
	release, err := k.exclusive(ctx, known.params.GroupID())
	if err != nil {
		return nil, &service.NetworkError{Err: err}
	}
	defer release()
	if known, err = k.read(known.params); err != nil { // someone else may have asked meanwhile
		return nil, err
	}
	if !known.isMember() {
		return nil, model.ErrNotAGroupMember
	}
	if stored, err = k.storedEndorsements(known); err != nil || stored != nil {
		return stored, err
	}
	if known, err = k.syncHolding(ctx, known.params.MasterKey(), groupWish{full: true}); err != nil {
		return nil, err
	}
	if !known.isMember() {
		return nil, model.ErrNotAGroupMember
	}
	if stored, err = k.storedEndorsements(known); err == nil && stored == nil {
		err = errNoEndorsements
	}
	return stored, err
}

// endorsedUntil is when the stored endorsements of a group end; zero where there are none.
func (s *groupSync) endorsedUntil() (time.Time, error) {
	record, err := s.endorsementRecord(s.known.id())
	if err != nil || record.GetExpiresAt() == 0 {
		return time.Time{}, err
	}
	return time.UnixMilli(record.GetExpiresAt()), nil
}

func (k *groupKeeper) endorsementRecord(id []byte) (record *storepb.GroupEndorsements, err error) {
	err = k.store.View(func(tx *store.Tx) error {
		record, err = tx.GroupEndorsements(id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return &storepb.GroupEndorsements{}, nil
	}
	return record, err
}

// storedEndorsements reads those of a group's members; nil where there are none for each of them, or not for long enough.
// A service that gave none lately is errNoEndorsements.
func (k *groupKeeper) storedEndorsements(known *knownGroup) (*zkgroup.GroupSendEndorsements, error) {
	self, err := k.self()
	if err != nil {
		return nil, err
	}
	record, err := k.endorsementRecord(known.id())
	if err != nil {
		return nil, err
	}
	now := k.config.Now()
	expires := time.UnixMilli(record.GetExpiresAt())
	if record.GetExpiresAt() == 0 && now.Sub(time.UnixMilli(record.GetRefusedAt())).Abs() < endorsementRetry {
		return nil, errNoEndorsements
	}
	if expires.Sub(now) < endorsementMargin {
		return nil, nil
	}
	all, err := readEndorsements(record)
	if err != nil {
		return nil, &store.CorruptError{Kind: "endorsements", Err: err}
	}
	return narrow(all, known.state.MemberIDs(), self.ACI)
}

// narrow makes endorsements those of these members exactly; nil where one of them has none.
func narrow(
	all *zkgroup.GroupSendEndorsements, members []serviceid.ServiceID, self serviceid.ServiceID,
) (*zkgroup.GroupSendEndorsements, error) {
	out := &zkgroup.GroupSendEndorsements{
		Expires: all.Expires, Combined: all.Combined,
		Members: make(map[serviceid.ServiceID]zkgroup.GroupSendEndorsement, len(members)),
	}
	var each []zkgroup.GroupSendEndorsement
	for _, id := range members {
		if id == self {
			continue
		}
		endorsement, ok := all.Members[id]
		if !ok {
			return nil, nil
		}
		out.Members[id] = endorsement
		each = append(each, endorsement)
	}
	if len(out.Members) == len(all.Members) {
		return out, nil
	}
	combined, err := zkgroup.CombineEndorsements(each...) // without those who have gone since
	out.Combined = combined
	return out, err
}

func readEndorsements(record *storepb.GroupEndorsements) (*zkgroup.GroupSendEndorsements, error) {
	out := &zkgroup.GroupSendEndorsements{
		Expires: time.UnixMilli(record.GetExpiresAt()),
		Members: make(map[serviceid.ServiceID]zkgroup.GroupSendEndorsement, len(record.GetMembers())),
	}
	if len(record.GetCombined()) != len(out.Combined) {
		return nil, zkgroup.ErrMalformed
	}
	out.Combined = zkgroup.GroupSendEndorsement(record.GetCombined())
	for _, m := range record.GetMembers() {
		id, err := serviceid.ParseBinary(m.GetServiceId())
		if err != nil || len(m.GetEndorsement()) != len(out.Combined) {
			return nil, zkgroup.ErrMalformed
		}
		out.Members[id] = zkgroup.GroupSendEndorsement(m.GetEndorsement())
	}
	return out, nil
}

// keepEndorsements verifies and stores what the service issued for the members of the state that was just taken over. What
// does not verify is as if there were none: sending has other ways.
func (s *groupSync) keepEndorsements(response []byte) error {
	if !s.known.isMember() || len(response) == 0 && !s.wish.full {
		return nil
	}
	self, err := s.self()
	if err != nil {
		return err
	}
	record := &storepb.GroupEndorsements{RefusedAt: s.config.Now().UnixMilli()}
	if len(response) > 0 {
		given, err := s.server.ReceiveGroupSendEndorsements(
			response, s.known.state.MemberIDs(), self.ACI, s.params, s.config.Now())
		if err == nil {
			record = endorsementRecordOf(given, s.known.state.Revision)
		} else {
			s.log.Warn().Err(err).Msg("the endorsements for a group's members were refused")
		}
	}
	return s.store.Update(func(tx *store.Tx) error { return tx.PutGroupEndorsements(s.known.id(), record) })
}

func endorsementRecordOf(given *zkgroup.GroupSendEndorsements, revision uint32) *storepb.GroupEndorsements {
	record := &storepb.GroupEndorsements{
		ExpiresAt: given.Expires.UnixMilli(), Revision: revision, Combined: given.Combined[:],
	}
	for id, endorsement := range given.Members {
		record.Members = append(record.Members, &storepb.MemberEndorsement{
			ServiceId: id.Binary(), Endorsement: endorsement[:],
		})
	}
	return record
}
