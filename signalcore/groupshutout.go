package signalcore

import (
	"context"
	"errors"
	"slices"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// shutOut notes that the service does not let the account see the group. The rest of what is known of it stays.
func (s *groupSync) shutOut(ctx context.Context, cause error) error {
	banned := errors.Is(cause, service.ErrGroupBanned)
	if s.known.record.GetStanding() == storepb.GroupStanding_GROUP_REQUESTING && !banned {
		waiting, err := s.stillRequesting(ctx)
		if err != nil || waiting {
			return err
		}
	}
	self, err := s.self()
	if err != nil {
		return err
	}
	return s.store.Update(func(tx *store.Tx) error {
		known, err := s.loadOrNew(tx, s.params)
		if err != nil {
			return err
		}
		s.known = known
		kind, standing := lostStanding(known.record.GetStanding())
		known.record.Standing = standing
		if banned {
			known.record.Standing = storepb.GroupStanding_GROUP_BANNED
		}
		if known.fetched() {
			known.state = withoutSelf(known.state, self)
			if known.record.State, err = known.state.Marshal(); err != nil {
				return err
			}
		}
		if kind != "" {
			lost := model.GroupChange{
				Kind: kind, Revision: known.record.GetRevision(), Affected: []serviceid.ServiceID{self.ACI},
			}
			_, err := s.file(tx, known.record, []model.GroupChange{lost}, groupOrigin{silent: s.wish.silent})
			if err != nil {
				return err
			}
		}
		return tx.PutGroup(known.record)
	})
}

// lostStanding is what becomes of a standing when the service does not let the account see the group any more, and what
// that was.
func lostStanding(before storepb.GroupStanding) (model.GroupChangeKind, storepb.GroupStanding) {
	switch before {
	case storepb.GroupStanding_GROUP_MEMBER:
		return model.GroupMemberRemoved, storepb.GroupStanding_GROUP_REMOVED
	case storepb.GroupStanding_GROUP_INVITED:
		return model.GroupInvitationRevoked, storepb.GroupStanding_GROUP_REMOVED
	case storepb.GroupStanding_GROUP_REQUESTING:
		return model.GroupJoinRequestDenied, storepb.GroupStanding_GROUP_REMOVED
	case storepb.GroupStanding_GROUP_UNFETCHED:
		return "", storepb.GroupStanding_GROUP_LEFT
	}
	return "", before
}

// stillRequesting asks whether the account's request to join still waits: so long, the state is not shown.
func (s *groupSync) stillRequesting(ctx context.Context) (bool, error) {
	waiting := false
	err := s.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) error {
		info, err := groups.GroupJoinInfo(ctx, auth, nil)
		waiting = info.GetPendingAdminApproval()
		return err
	})
	if errors.Is(err, service.ErrGroupLink) || errors.Is(err, service.ErrNoGroup) || errors.Is(err, service.ErrGroupBanned) {
		return false, nil
	}
	return waiting, err
}

// withoutSelf takes the account out of a state, which is all that is known of the next one.
func withoutSelf(state group.State, self group.Identity) group.State {
	state.Members = slices.DeleteFunc(slices.Clone(state.Members), func(m group.Member) bool { return self.Has(m.ACI) })
	state.Pending = slices.DeleteFunc(slices.Clone(state.Pending), func(p group.Pending) bool { return self.Has(p.ServiceID) })
	state.Requesting = slices.DeleteFunc(slices.Clone(state.Requesting),
		func(r group.Requesting) bool { return self.Has(r.ACI) })
	return state
}
