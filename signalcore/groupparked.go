package signalcore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// How many messages wait for the states of their groups at most.
	maxParkedOfGroup = 500
	maxParked        = 2000
	// parkedFor is how long they wait at most, and parkedEvery how often they are looked at.
	parkedFor   = 7 * 24 * time.Hour
	parkedEvery = time.Hour
)

// errStopRelease ends a release for which the transaction is too full.
var errStopRelease = errors.New("the rest goes into another transaction")

// park keeps a message until its group's state is as new as it is. Where too many wait already, it is filed at once if it
// is from someone whom this account hears by the state that is known, ahead of what waits: out of order is better than
// lost. Anybody else's is told of, and not kept.
func (h *handler) park(entry *storepb.InboxEntry, parsed *content.Parsed, to route, receipt bool) (effects, error) {
	ofGroup, err := h.tx.CountParked(to.group)
	if err != nil {
		return effects{}, err
	}
	all, err := h.tx.CountParked(nil)
	if err != nil {
		return effects{}, err
	}
	if ofGroup >= maxParkedOfGroup || all >= maxParked {
		known, err := h.r.groups.load(h.tx, to.group)
		if err != nil && !errors.Is(err, model.ErrGroupNotFound) {
			return effects{}, err
		}
		if err == nil && known.fetched() && hears(known, senderOf(entry), parsed) {
			return h.deliver(entry, parsed.Attachments(), receipt)
		}
		return h.unfiled(entry, errors.New("too many messages wait for the state of their group"))
	}
	return effects{}, h.tx.ParkMessage(&storepb.ParkedMessage{
		GroupId: to.group, Revision: to.revision, Entry: entry, Receipt: receipt,
	})
}

// unfiled tells of a message whose group's state is not to be had.
func (h *handler) unfiled(entry *storepb.InboxEntry, why error) (effects, error) {
	entry.Type, entry.Content = storepb.EntryType_ENTRY_UNREADABLE, nil
	entry.StatusCode, entry.Error = statusMessageError, unreadableText(why)
	return effects{messages: 1}, h.r.inbox.Append(h.tx, entry)
}

// waitsBefore reports whether messages of a group, for which its state is new enough, are yet to be filed.
func (h *handler) waitsBefore(known *knownGroup) (bool, error) {
	found := false
	err := h.tx.Parked(known.id(), func(m *storepb.ParkedMessage) error {
		found = found || m.GetRevision() <= known.state.Revision
		return nil
	})
	return found, err
}

// release files what waited for a group's state, in the order of arrival, or drops what comes from outside of the group.
// It is called in each transaction that writes a state. complete says that the service has nothing newer: what names a
// later revision all the same has the service asked once more, for it may have come meanwhile, and is then filed.
func (r *receiver) release(tx *store.Tx, known *knownGroup, complete bool) (effects, error) {
	var out effects
	account, err := r.accounts.working()
	if err != nil {
		return out, err
	}
	h := newHandler(r, tx, account)
	err = tx.Parked(known.id(), func(m *storepb.ParkedMessage) error {
		if tx.Fill() > batchFill {
			out.jobs = true
			return errStopRelease
		}
		more, err := h.releaseOne(known, m, complete)
		out.add(more)
		return err
	})
	if errors.Is(err, errStopRelease) {
		return out, h.releaseLater(known.id(), complete)
	}
	return out, err
}

// releaseOne decides about one message that waits.
func (h *handler) releaseOne(known *knownGroup, m *storepb.ParkedMessage, complete bool) (effects, error) {
	if ahead := m.GetRevision() > known.record.GetRevision() || !known.fetched(); ahead {
		switch {
		case !complete:
			return effects{}, nil
		case known.isMember() && !m.GetRefreshed():
			m.Refreshed = true
			if err := h.tx.PutParked(m); err != nil {
				return effects{}, err
			}
			return effects{jobs: true}, h.r.groups.want(h.tx, known.params.MasterKey(), m.GetRevision())
		}
	}
	if err := h.tx.DeleteParked(m); err != nil {
		return effects{}, err
	}
	blocked, err := h.blockedSince(known, m)
	if err != nil {
		return effects{}, err
	}
	parsed, ok := parseEntry(m.GetEntry())
	if blocked || !ok || !hears(known, senderOf(m.GetEntry()), parsed) {
		return effects{}, h.tx.Count(counterDropped, 1)
	}
	return h.deliver(m.GetEntry(), parsed.Attachments(), m.GetReceipt())
}

// blockedSince reports whether the group, or the sender, of a message that waits is blocked now.
func (h *handler) blockedSince(known *knownGroup, m *storepb.ParkedMessage) (bool, error) {
	blocked, err := h.blocked(senderOf(m.GetEntry()))
	return blocked || known.record.GetBlocked(), err
}

// releaseLater has the rest of what may be filed done by a job.
func (h *handler) releaseLater(id []byte, complete bool) error {
	payload, err := proto.Marshal(&storepb.GroupRelease{GroupId: id, Complete: complete})
	if err != nil {
		return err
	}
	return h.tx.AddJob(&storepb.Job{Kind: storepb.JobKind_JOB_GROUP_RELEASE, Payload: payload})
}

// releaseRest does such a job. Where there is more yet, that is another job.
func (r *receiver) releaseRest(_ context.Context, job *storepb.Job) error {
	var left storepb.GroupRelease
	if err := proto.Unmarshal(job.GetPayload(), &left); err != nil {
		return err
	}
	var out effects
	err := r.store.Update(func(tx *store.Tx) error {
		known, err := r.groups.load(tx, left.GetGroupId())
		if err != nil {
			return err
		}
		out, err = r.release(tx, known, left.GetComplete())
		return err
	})
	if err == nil {
		r.done(out)
	}
	return err
}

// tendParked asks again for the states of groups whose messages wait, where the question was given up, and goes by what is
// known for messages that have waited for too long.
func (r *receiver) tendParked(context.Context) error {
	waiting := make(map[string]bool)
	err := r.store.View(func(tx *store.Tx) error {
		return tx.Parked(nil, func(m *storepb.ParkedMessage) error {
			waiting[string(m.GetGroupId())] = true
			return nil
		})
	})
	for id := range waiting {
		if err != nil {
			break
		}
		var out effects
		err = r.store.Update(func(tx *store.Tx) (err error) {
			out, err = r.tendParkedOf(tx, []byte(id))
			return err
		})
		if err == nil {
			r.done(out)
		}
	}
	return err
}

func (r *receiver) tendParkedOf(tx *store.Tx, id []byte) (effects, error) {
	var out effects
	account, err := r.accounts.working()
	if err != nil {
		return out, err
	}
	h := newHandler(r, tx, account)
	known, err := r.groups.load(tx, id)
	if err != nil {
		return out, err
	}
	wanted, waits := uint32(0), false
	err = tx.Parked(id, func(m *storepb.ParkedMessage) error {
		if r.now().Sub(time.UnixMilli(m.GetParkedAt())) < parkedFor || tx.Fill() > batchFill {
			wanted, waits = max(wanted, m.GetRevision()), true
			return nil
		}
		if err := tx.DeleteParked(m); err != nil {
			return err
		}
		more, err := h.overdue(known, m)
		out.add(more)
		return err
	})
	if err != nil || !waits {
		return out, err
	}
	out.jobs = true
	return out, r.groups.want(tx, known.params.MasterKey(), wanted)
}

// overdue files a message of someone whom this account hears by the state that is known, and tells of anybody else's.
func (h *handler) overdue(known *knownGroup, m *storepb.ParkedMessage) (effects, error) {
	blocked, err := h.blockedSince(known, m)
	if err != nil {
		return effects{}, err
	}
	if blocked {
		return effects{}, h.tx.Count(counterDropped, 1)
	}
	parsed, ok := parseEntry(m.GetEntry())
	if ok && known.fetched() && hears(known, senderOf(m.GetEntry()), parsed) {
		return h.deliver(m.GetEntry(), parsed.Attachments(), m.GetReceipt())
	}
	return h.unfiled(m.GetEntry(), errors.New("the state of its group was not to be had"))
}

// parseEntry reads the content of an entry again; one that nothing could be made of is as it was then.
func parseEntry(entry *storepb.InboxEntry) (*content.Parsed, bool) {
	var body servicepb.Content
	if err := proto.Unmarshal(entry.GetContent(), &body); err != nil {
		return nil, false
	}
	parsed, err := content.Parse(&body)
	return &parsed, err == nil || entry.GetType() == storepb.EntryType_ENTRY_UNKNOWN
}
