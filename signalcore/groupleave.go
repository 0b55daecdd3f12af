package signalcore

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// LeaveGroup implements commands.Groups. A group that the account is not in stays as it is.
func (c *Client) LeaveGroup(ctx context.Context, leave model.GroupLeave) (result model.GroupResult, err error) {
	err = c.groups.editByID(ctx, leave.Group, func(e *groupEdit) error {
		promote, err := e.people(ctx, leave.AdminToPromote)
		if err != nil {
			return err
		}
		err = e.leave(ctx, promote)
		result = e.result()
		return err
	})
	return result, err
}

// DeleteGroup implements commands.Groups.
func (c *Client) DeleteGroup(ctx context.Context, id []byte) error {
	return c.groups.editByID(ctx, id, func(e *groupEdit) error {
		if err := e.leave(ctx, nil); err != nil {
			return err
		}
		err := e.store.Update(func(tx *store.Tx) error {
			known, err := e.loadOrNew(tx, e.params)
			if err != nil {
				return err
			}
			return e.forget(tx, known)
		})
		if err == nil {
			e.outbox.wakeJobs()
		}
		return err
	})
}

// maxInvitations is how many invitations one account can have to a group: by account, and by number.
const maxInvitations = 2

// leave leaves, declines, or takes a request back, until the account is in none of the group's lists.
func (e *groupEdit) leave(ctx context.Context, promote []serviceid.ServiceID) error {
	if e.known.record.GetStanding() == storepb.GroupStanding_GROUP_REQUESTING {
		return e.cancelRequest(ctx)
	}
	for range maxInvitations {
		if !isInside(e.known.record.GetStanding()) {
			return nil
		}
		err := e.revise(ctx, func(state group.State) (*servicepb.GroupChange_Actions, error) {
			return state.Leave(e.params, e.self, promote)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// cancelRequest takes a request to join back. The state of the group is not shown to who only asks: its revision is.
func (e *groupEdit) cancelRequest(ctx context.Context) error {
	var last error
	for range maxRevisions {
		preview, err := e.preview(ctx, nil)
		gone := errors.Is(err, service.ErrGroupLink) || errors.Is(err, service.ErrGroupBanned)
		if err == nil && !preview.Requested || gone { // it was decided upon
			return e.afterRequest(ctx)
		}
		if err != nil {
			return err
		}
		_, err = e.modify(ctx, group.CancelRequest(e.params, e.self, preview.Revision), nil)
		if err == nil {
			return e.stand(storepb.GroupStanding_GROUP_LEFT)
		}
		if ctx.Err() != nil {
			return cutShortBy(ctx, err)
		}
		if last = err; !mayHelpToRefetch(err) {
			return err
		}
	}
	return last
}

// afterRequest finds out what became of a request, and leaves where it was approved.
func (e *groupEdit) afterRequest(ctx context.Context) error {
	if err := e.refetch(ctx, 0); err != nil {
		return err
	}
	if isInside(e.known.record.GetStanding()) {
		return e.leave(ctx, nil)
	}
	return e.stand(storepb.GroupStanding_GROUP_LEFT)
}

// stand notes how the account stands to a group whose state it is not shown.
func (e *groupEdit) stand(standing storepb.GroupStanding) error {
	return e.update(func(tx *store.Tx, known *knownGroup) (effects, error) {
		known.record = proto.CloneOf(known.record)
		known.record.Standing = standing
		return effects{}, tx.PutGroup(known.record)
	})
}
