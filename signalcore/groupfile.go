package signalcore

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// groupOrigin says how a change became known, for its entries.
type groupOrigin struct {
	// silent files no entries: the change is this daemon's own, and its command's reply tells of it.
	silent bool
	// Of the message that brought it; zero for a change that the service told.
	timestamp, serverTimestamp uint64
	device                     uint32
	sealed                     bool
}

// apply takes a signed change that follows the known state, as messages carry it and as the service answers a command
// with. It changes known. Its errors, for all of which the state stays as it is: errUnfetched, and those of
// group.ParseSigned and group.State.Apply: group.ErrRevision is for a change of another revision than the next,
// group.ErrNotApplicable and group.ErrTooNew ask for a refresh, and group.ErrSignature is a forgery.
func (k *groupKeeper) apply(tx *store.Tx, known *knownGroup, signed []byte, from groupOrigin) (effects, error) {
	if !known.fetched() {
		return effects{}, errUnfetched
	}
	change, err := group.ParseSigned(signed, known.params, k.server)
	if err != nil {
		return effects{}, err
	}
	after, err := known.state.Apply(change)
	if err != nil {
		return effects{}, err
	}
	var out effects
	err = tx.Attempt(func() (err error) {
		out, err = k.advance(tx, known, groupStep{after: after, change: &change}, from)
		return err
	})
	return out, err
}

// groupStep is one step from a state to a later one: by a change, or to a state that was fetched.
type groupStep struct {
	after  group.State
	change *group.Change // nil: not known
}

// advance writes a newer state together with the entries of what changed, and releases what waited for it.
func (k *groupKeeper) advance(tx *store.Tx, known *knownGroup, step groupStep, from groupOrigin) (effects, error) {
	self, err := k.self()
	if err != nil {
		return effects{}, err
	}
	var before *group.State
	if isInside(known.record.GetStanding()) && known.fetched() {
		before = &known.state
	}
	changes := group.Differences(before, step.after, step.change, self)
	out, err := k.file(tx, known.record, changes, from)
	if err != nil {
		return out, err
	}
	if err := k.learn(tx, step, self); err != nil {
		return out, err
	}
	next := proto.CloneOf(known.record)
	next.Standing = standingAfter(known.record.GetStanding(), step, self)
	next.Revision, next.Shown = step.after.Revision, nil
	next.Forgotten = next.Forgotten && !isInside(next.Standing) // who comes into it again has it again
	if next.State, err = step.after.Marshal(); err != nil {
		return out, err
	}
	if err := tx.PutGroup(next); err != nil {
		return out, fmt.Errorf("the state of a group: %w", err)
	}
	k.noteGroupStep(tx, next, changes)
	known.record, known.state = next, step.after
	if k.release == nil {
		return out, nil
	}
	more, err := k.release(tx, known, false)
	out.add(more)
	return out, err
}

// entryBytes is what an entry counts for besides its change.
const entryBytes = 256

// file puts changes into the inbox, unless the group is blocked.
func (k *groupKeeper) file(
	tx *store.Tx, record *storepb.Group, changes []model.GroupChange, from groupOrigin,
) (effects, error) {
	var out effects
	if from.silent || record.GetBlocked() {
		return out, nil
	}
	now := tx.Now().UnixMilli()
	for _, change := range changes {
		kept := groupChangeEntry(change)
		entry := &storepb.InboxEntry{
			Type: storepb.EntryType_ENTRY_GROUP_CHANGE, GroupId: record.GetGroupId(), GroupChange: kept,
			Timestamp: from.timestamp, ServerTimestamp: from.serverTimestamp, ReceivedAt: now,
			SenderDevice: from.device, Sealed: from.sealed, Bytes: entryBytes + int64(proto.Size(kept)),
		}
		if entry.Timestamp == 0 {
			entry.Timestamp = uint64(now)
		}
		if id := change.Editor; id.Kind == serviceid.PNI {
			entry.SenderPni = id.UUID[:]
		} else if !id.IsZero() {
			entry.SenderAci = id.UUID[:]
		}
		if err := k.inbox.Append(tx, entry); err != nil {
			return out, err
		}
		out.messages++
	}
	return out, nil
}

var standings = map[model.GroupMembership]storepb.GroupStanding{
	model.GroupUnfetched:  storepb.GroupStanding_GROUP_UNFETCHED,
	model.GroupMember:     storepb.GroupStanding_GROUP_MEMBER,
	model.GroupInvited:    storepb.GroupStanding_GROUP_INVITED,
	model.GroupRequesting: storepb.GroupStanding_GROUP_REQUESTING,
	model.GroupLeft:       storepb.GroupStanding_GROUP_LEFT,
	model.GroupRemoved:    storepb.GroupStanding_GROUP_REMOVED,
	model.GroupBanned:     storepb.GroupStanding_GROUP_BANNED,
}

// membershipOf names a standing.
func membershipOf(standing storepb.GroupStanding) model.GroupMembership {
	for membership, s := range standings {
		if s == standing {
			return membership
		}
	}
	return model.GroupUnfetched
}

// isInside reports whether the account sees what happens in a group. Who has only asked to join sees no more than the
// link shows.
func isInside(standing storepb.GroupStanding) bool {
	return standing == storepb.GroupStanding_GROUP_MEMBER || standing == storepb.GroupStanding_GROUP_INVITED
}

// standingAfter says how the account stands to a group after a step. Of those who are in none of its lists, the state does
// not tell whether they went or were sent: that is in the change, or was known before.
func standingAfter(before storepb.GroupStanding, step groupStep, self group.Identity) storepb.GroupStanding {
	membership := step.after.MembershipOf(self)
	if step.change != nil {
		membership = step.after.After(*step.change, self)
	}
	outside := before == storepb.GroupStanding_GROUP_REMOVED || before == storepb.GroupStanding_GROUP_BANNED
	if membership == model.GroupLeft && outside {
		return storepb.GroupStanding_GROUP_REMOVED
	}
	return standings[membership]
}
