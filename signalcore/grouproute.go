package signalcore

import (
	"bytes"
	"errors"

	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// route is what becomes of a content that belongs to a group.
type route struct {
	way routeWay
	// Of a message that waits: for which group, and the revision that its state must reach.
	group    []byte
	revision uint32
}

type routeWay int

const (
	routeFile  routeWay = iota // as in a conversation of two
	routeDrop                  // it is not heard; counted
	routeWait                  // until the group's state is as new as the message
	routeHeard                 // nothing to file, but its sender may be told that it arrived
)

var errOtherGroup = errors.New("it names another group than the one that it was sent to")

// checkGroup refuses a content whose inside and outside name different groups, and what only a group knows where there
// is none.
func checkGroup(a *arrival, parsed *content.Parsed) error {
	var id []byte
	switch {
	case parsed.Group != nil:
		id = parsed.Group.ID()
	case parsed.Typing != nil && len(parsed.Typing.GroupID) > 0:
		id = parsed.Typing.GroupID
	case parsed.Delete != nil && !parsed.Delete.Target.Author.IsZero():
		return errors.New("it deletes another's message, which only an admin of a group can")
	}
	if len(id) > 0 && len(a.group) > 0 && !bytes.Equal(id, a.group) {
		return errOtherGroup
	}
	return nil
}

// route decides what becomes of a content, and has a group's state follow what the content tells of it: by the signed
// change that it carries, where that is the next one, and else by asking the service, later.
func (h *handler) route(a *arrival, parsed *content.Parsed) (route, effects, error) {
	switch {
	case parsed.Sync != nil && parsed.Sync.Sent != nil:
		return h.routeOwn(a, parsed.Sync.Sent)
	case parsed.Typing != nil && len(parsed.Typing.GroupID) > 0:
		return h.routeTyping(a, parsed)
	case parsed.Group == nil:
		return route{}, effects{}, nil
	}
	known, err := h.knownGroup(parsed.Group)
	if err != nil {
		return route{}, effects{}, err
	}
	if known.record.GetBlocked() {
		return route{way: routeDrop}, effects{}, nil
	}
	stand, out, err := h.follow(a, known, parsed.Group)
	heard := hears(known, a.sender.ServiceID, parsed)
	switch {
	case err != nil:
		return route{}, out, err
	case parsed.Kind == content.KindGroupChange && (heard || stand != groupKnew): // also of who left, or sent us away
		return route{way: routeHeard}, out, nil
	case stand == groupBehind:
		return route{routeWait, known.id(), parsed.Group.Revision}, out, nil
	case !heard:
		return route{way: routeDrop}, out, nil
	}
	behind, err := h.waitsBefore(known)
	if behind {
		return route{routeWait, known.id(), parsed.Group.Revision}, out, err
	}
	return route{}, out, err
}

// routeOwn is for what another device of this account sent, which is always filed.
func (h *handler) routeOwn(a *arrival, sent *content.Sent) (route, effects, error) {
	if sent.Event.Group == nil {
		return route{}, effects{}, nil
	}
	known, err := h.knownGroup(sent.Event.Group)
	if err != nil {
		return route{}, effects{}, err
	}
	_, out, err := h.follow(a, known, sent.Event.Group)
	return route{}, out, err
}

// routeTyping is for an indicator, which names its group by the id alone: one that is not known is not asked about.
func (h *handler) routeTyping(a *arrival, parsed *content.Parsed) (route, effects, error) {
	known, err := h.r.groups.load(h.tx, parsed.Typing.GroupID)
	if errors.Is(err, model.ErrGroupNotFound) {
		return route{way: routeDrop}, effects{}, nil
	}
	if err != nil {
		return route{}, effects{}, err
	}
	if known.record.GetBlocked() || !hears(known, a.sender.ServiceID, parsed) {
		return route{way: routeDrop}, effects{}, nil
	}
	return route{}, effects{}, nil
}

// knownGroup finds what is known of a group that a content names.
func (h *handler) knownGroup(context *content.Group) (*knownGroup, error) {
	key, err := zkgroup.ParseMasterKey(context.MasterKey)
	if err != nil {
		return nil, err
	}
	params := h.r.groups.params(key)
	if known := h.groups[params.GroupID()]; known != nil {
		return known, nil
	}
	known, err := h.r.groups.loadOrNew(h.tx, params)
	if err == nil {
		h.groups[params.GroupID()] = known
	}
	return known, err
}

// hears reports whether this account, as a member, takes a content from someone: from members, and what is for admins
// from these.
func hears(known *knownGroup, sender serviceid.ServiceID, parsed *content.Parsed) bool {
	if !known.isMember() {
		return false
	}
	if _, ok := known.state.Member(sender); !ok {
		return false
	}
	switch parsed.Kind {
	case content.KindMessage, content.KindEdit, content.KindStory:
		return !known.state.AnnouncementsOnly || known.state.IsAdmin(sender)
	case content.KindDelete:
		author := parsed.Delete.Target.Author
		return author.IsZero() || known.state.IsAdmin(sender)
	}
	return true
}

// groupStand is what is known of a group beside what a message names.
type groupStand int

const (
	groupKnew    groupStand = iota // no less than the message, all the time
	groupLearned                   // as much now, from the message
	groupBehind                    // less yet
)

// follow brings a group to the revision that a content names, by the change in it, or has the service asked. A revision
// that is not newer than the one at which this account was gone says nothing new.
func (h *handler) follow(a *arrival, known *knownGroup, context *content.Group) (groupStand, effects, error) {
	if known.fetched() && context.Revision <= known.state.Revision {
		return groupKnew, effects{}, nil
	}
	delete(h.groups, known.params.GroupID()) // what follows writes it
	if known.isMember() && context.Revision == known.state.Revision+1 && len(context.Change) > 0 {
		out, err := h.r.groups.apply(h.tx, known, context.Change, groupOrigin{
			timestamp: a.envelope.GetClientTimestamp(), serverTimestamp: a.envelope.GetServerTimestamp(),
			device: a.sender.DeviceID, sealed: a.sealed,
		})
		if err == nil || !isChangeFault(err) {
			return groupLearned, out, err
		}
		h.r.log.Info().Err(err).Str("from", a.sender.ServiceID.Short()).Msg("a group's change was not taken")
	}
	err := h.r.groups.want(h.tx, known.params.MasterKey(), context.Revision)
	return groupBehind, effects{jobs: true}, err
}

// isChangeFault reports whether a change itself is to blame for an error; the service then has the truth.
func isChangeFault(err error) bool {
	for _, known := range []error{
		group.ErrMalformed, group.ErrSignature, group.ErrTooNew, group.ErrRevision, group.ErrNotApplicable,
		group.ErrState, errUnfetched,
	} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// standing looks up a group that a sealed message names on its outside; nil is for one that is not known. gone says that
// this account was in it, and is not any more.
func (h *handler) standing(id []byte) (gone bool, known *storepb.Group, err error) {
	if len(id) == 0 {
		return false, nil, nil
	}
	record, err := h.tx.Group(id)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil, nil
	}
	switch record.GetStanding() {
	case storepb.GroupStanding_GROUP_LEFT, storepb.GroupStanding_GROUP_REMOVED, storepb.GroupStanding_GROUP_BANNED:
		gone = true
	}
	return gone, record, err
}
