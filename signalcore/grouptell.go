package signalcore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Members learn of a change when a message of the group bears a later revision than they know. So that they need not wait
// for one, whoever makes a change sends one that says nothing else, with the signed change in it: to the members, to those
// who are invited, and to those whom the change has put out (Signal-Desktop ts/groups.ts, modifyGroupV2). The account's
// other devices get a transcript of it.

// tellFor is how long it is tried.
const tellFor = 24 * time.Hour

// groupNews is a change that others are to be told of.
type groupNews struct {
	before group.State
	signed []byte // nil where the service's word for the change is not at hand
	// instead is the job of the intent, which the one that tells takes the place of; 0 for none.
	instead uint64
}

// tell writes the jobs that tell of a change, in the transaction that takes it over. The caller wakes the outbox once it
// has committed.
func (k *groupKeeper) tell(tx *store.Tx, known *knownGroup, news groupNews) error {
	self, err := k.self()
	if err != nil {
		return err
	}
	timestamp, err := k.sender.reserve(tx)
	if err != nil {
		return err
	}
	key := known.params.MasterKey()
	update := &storepb.GroupUpdate{
		MasterKey: key[:], Revision: known.state.Revision, Change: news.signed, Timestamp: timestamp,
	}
	for _, id := range concerned(news.before, known.state, self) {
		update.Recipients = append(update.Recipients, id.Binary())
	}
	if err := tx.DeleteJob(news.instead); err != nil {
		return err
	}
	if len(update.Recipients) > 0 {
		if _, err := addGroupUpdate(tx, update, 0); err != nil {
			return err
		}
	}
	transcript, err := content.NewSentTranscript(k.config.Rand, content.Transcript{Timestamp: timestamp},
		content.NewGroupUpdate(k.updateCommon(update, nil)))
	if err != nil {
		return err
	}
	job, err := k.sender.transcriptJob(transcript, timestamp)
	if err != nil {
		return err
	}
	return tx.AddJob(job)
}

func addGroupUpdate(tx *store.Tx, update *storepb.GroupUpdate, pause time.Duration) (uint64, error) {
	payload, err := proto.Marshal(update)
	if err != nil {
		return 0, err
	}
	job := &storepb.Job{
		Kind: storepb.JobKind_JOB_GROUP_UPDATE, Payload: payload, Timestamp: update.GetTimestamp(),
		NextAttempt: tx.Now().Add(pause).UnixMilli(), ExpiresAt: tx.Now().Add(tellFor).UnixMilli(),
	}
	err = tx.AddJob(job)
	return job.Id, err
}

// concerned lists whom a change concerns but ourselves: members and those invited after it, and whoever was in one of the
// lists before it.
func concerned(before, after group.State, self group.Identity) []serviceid.ServiceID {
	var out []serviceid.ServiceID
	seen := make(map[serviceid.ServiceID]bool)
	add := func(id serviceid.ServiceID) {
		if !id.IsZero() && !self.Has(id) && !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	for _, s := range []group.State{after, before} {
		for _, m := range s.Members {
			add(m.ACI)
		}
		for _, p := range s.Pending {
			add(p.ServiceID)
		}
	}
	for _, r := range before.Requesting {
		if _, still := after.Requested(r.ACI); !still {
			add(r.ACI)
		}
	}
	return out
}

func (k *groupKeeper) updateCommon(update *storepb.GroupUpdate, profileKey []byte) content.Common {
	return content.Common{
		Timestamp: update.GetTimestamp(), ProfileKey: profileKey,
		Group: &content.Group{MasterKey: update.GetMasterKey(), Revision: update.GetRevision(), Change: update.GetChange()},
	}
}

// tellGroup does the job of telling. Who was told is taken out of it; its error is for those who may be reached later.
func (s *sender) tellGroup(ctx context.Context, job *storepb.Job) error {
	var update storepb.GroupUpdate
	if err := proto.Unmarshal(job.GetPayload(), &update); err != nil {
		return nil //nolint:nilerr // it will not get better
	}
	key, err := zkgroup.ParseMasterKey(update.GetMasterKey())
	if err != nil {
		return nil //nolint:nilerr // it names no group
	}
	params := s.groups.params(key)
	id := params.GroupID()
	if update.GetIntended() {
		return s.groups.lookForIntended(ctx, &update, params)
	}
	release, err := s.turns.lock(ctx, string(id[:]))
	if err != nil {
		return err
	}
	defer release()
	m, err := s.updateMessage(ctx, &update, params)
	if err != nil {
		return err
	}
	s.deliverToGroup(ctx, m)
	var later [][]byte
	for _, d := range m.deliveries {
		if d.err != nil && canWait(d.err) {
			later, err = append(later, d.target.id.Binary()), d.err
		} else if d.err != nil {
			s.log.Debug().Err(d.err).Str("to", d.target.id.Short()).Msg("a member was not told of a group's change")
		}
	}
	if len(later) == 0 || len(later) == len(update.Recipients) {
		return err
	}
	update.Recipients = later
	return errors.Join(err, s.keepUntold(job.GetId(), &update))
}

// keepUntold keeps who is yet to be told.
func (s *sender) keepUntold(id uint64, update *storepb.GroupUpdate) error {
	payload, err := proto.Marshal(update)
	if err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		job, err := tx.Job(id)
		if err != nil {
			return err
		}
		job.Payload = payload
		return tx.PutJob(job)
	})
}

// updateMessage makes the message of a job, with a delivery for everyone who is yet to be told.
func (s *sender) updateMessage(
	ctx context.Context, update *storepb.GroupUpdate, params *zkgroup.GroupSecretParams,
) (*groupMessage, error) {
	a, err := s.accounts.working()
	if err != nil {
		return nil, err
	}
	known, err := s.groups.read(params)
	if err != nil {
		return nil, err
	}
	var passes groupPasses
	profileKey := []byte(nil)
	if known.isMember() {
		profileKey = a.profileKey
		if passes, err = s.passesFor(ctx, known); err != nil && canWait(err) {
			return nil, err
		}
	}
	m := &groupMessage{
		group: known, passes: passes, timestamp: update.GetTimestamp(), hint: sealedsender.Implicit,
		body: content.NewGroupUpdate(s.groups.updateCommon(update, profileKey)),
	}
	m.keep = func(tx *store.Tx, _ *storepb.Ciphertexts) error { return s.keepUpdate(tx, m) }
	var to []serviceid.ServiceID
	for _, raw := range update.GetRecipients() {
		if id, err := serviceid.ParseBinary(raw); err == nil && !a.isSelf(id) {
			to = append(to, id)
		}
	}
	m.deliveries, err = s.deliveriesTo(m, to)
	return m, err
}

// keepUpdate keeps the message for those who cannot read their copy.
func (s *sender) keepUpdate(tx *store.Tx, m *groupMessage) error {
	kept := &storepb.Resend{GroupId: m.group.id(), ContentHint: uint32(m.hint)}
	var err error
	if kept.Content, err = proto.Marshal(m.body); err != nil {
		return err
	}
	for _, d := range m.deliveries {
		kept.Recipients = append(kept.Recipients, d.target.id.Binary())
	}
	return tx.PutResend(m.timestamp, kept)
}
