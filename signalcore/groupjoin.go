package signalcore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// JoinGroup implements commands.Groups.
func (c *Client) JoinGroup(ctx context.Context, join model.GroupJoin) (result model.GroupResult, err error) {
	work := func(e *groupEdit) error { return e.accept(ctx, &result) }
	if join.Link == "" {
		return result, c.groups.editByID(ctx, join.Group, work)
	}
	link, err := group.ParseInviteLink(join.Link)
	if err != nil {
		return result, err
	}
	return result, c.groups.edit(ctx, c.groups.params(link.MasterKey), func(e *groupEdit) error {
		return e.joinByLink(ctx, link, &result)
	})
}

// accept accepts an invitation.
func (e *groupEdit) accept(ctx context.Context, result *model.GroupResult) error {
	defer func() { *result = e.result() }()
	switch e.known.record.GetStanding() {
	case storepb.GroupStanding_GROUP_MEMBER, storepb.GroupStanding_GROUP_REQUESTING:
		return nil
	case storepb.GroupStanding_GROUP_INVITED:
	default: // there may be an invitation since
		if err := e.refetch(ctx, 0); err != nil {
			return err
		}
	}
	presentation, err := e.ownPresentation(ctx, e.params)
	if err != nil {
		return err
	}
	err = e.revise(ctx, func(state group.State) (*servicepb.GroupChange_Actions, error) {
		return state.Accept(e.params, e.self, presentation)
	})
	if err != nil {
		return err
	}
	return e.share()
}

// joinByLink joins, or asks to. Who is invited already accepts that, which needs nobody's leave.
func (e *groupEdit) joinByLink(ctx context.Context, link group.InviteLink, result *model.GroupResult) error {
	if e.known.isMember() || e.known.record.GetStanding() == storepb.GroupStanding_GROUP_INVITED {
		return e.accept(ctx, result)
	}
	presentation, err := e.ownPresentation(ctx, e.params)
	if err != nil {
		return err
	}
	var last error
	for range maxRevisions {
		preview, err := e.preview(ctx, link.Password)
		if err != nil {
			return err
		}
		if preview.Requested {
			return e.waitForApproval(preview, result)
		}
		actions, err := group.JoinByLink(preview, presentation)
		if err != nil {
			return err
		}
		answer, err := e.modify(ctx, actions, link.Password)
		if err == nil {
			return e.joined(ctx, preview, answer, result)
		}
		if ctx.Err() != nil {
			return cutShortBy(ctx, err)
		}
		if !mayHelpToRefetch(err) || isSame(last, err) && !errors.Is(err, service.ErrGroupConflict) {
			return err
		}
		last = err
		if refetchErr := e.refetch(ctx, preview.Revision+1); refetchErr == nil && e.known.isMember() {
			return e.settled(nil, result) // the answer was lost, or someone has added us
		}
	}
	return last
}

// preview asks what the link shows. Without a password it is for who has asked to join.
func (e *groupEdit) preview(ctx context.Context, password []byte) (preview group.Preview, err error) {
	var info *servicepb.GroupJoinInfo
	err = e.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) error {
		info, err = groups.GroupJoinInfo(ctx, auth, password)
		return err
	})
	if errors.Is(err, service.ErrNoGroup) {
		return preview, fmt.Errorf("%w: there is no such group any more", service.ErrGroupLink)
	}
	if err != nil {
		return preview, err
	}
	return group.DecryptPreview(info, e.params)
}

// joined takes over what became of a try: a member fetches the group, which it has not seen before.
func (e *groupEdit) joined(
	ctx context.Context, preview group.Preview, answer *servicepb.GroupChangeResponse, result *model.GroupResult,
) error {
	if preview.Access == group.RequiredAdmin {
		return e.waitForApproval(preview, result)
	}
	known, err := e.syncHolding(ctx, e.params.MasterKey(), groupWish{silent: true, full: true})
	if err != nil {
		return err
	}
	e.known = known
	signed, err := proto.Marshal(answer.GetGroupChange())
	if err != nil {
		return err
	}
	return e.settled(signed, result)
}

// settled is for who has become a member: the others are told, and the account's profile is shared with them.
func (e *groupEdit) settled(signed []byte, result *model.GroupResult) error {
	defer func() { *result = e.result() }()
	if err := e.share(); err != nil {
		return err
	}
	return e.announce(group.State{}, signed)
}

// waitForApproval notes that the account has asked to join. Of the group, it knows no more than the link shows, and keeps
// that.
func (e *groupEdit) waitForApproval(preview group.Preview, result *model.GroupResult) error {
	shown := preview.Model()
	err := e.update(func(tx *store.Tx, known *knownGroup) (effects, error) {
		known.record = proto.CloneOf(known.record)
		known.record.Shown = &storepb.GroupShown{
			Title: shown.Title, Description: shown.Description, HasAvatar: shown.HasAvatar, Link: string(shown.Link),
			Revision: shown.Revision,
		}
		known.record.Standing = storepb.GroupStanding_GROUP_REQUESTING
		known.record.Forgotten = false
		return effects{}, tx.PutGroup(known.record)
	})
	if err != nil {
		return err
	}
	if err := e.share(); err != nil {
		return err
	}
	*result = e.result()
	return nil
}

// GroupLinkInfo implements commands.Groups.
func (c *Client) GroupLinkInfo(ctx context.Context, text string) (model.GroupPreview, error) {
	link, err := group.ParseInviteLink(text)
	if err != nil {
		return model.GroupPreview{}, err
	}
	var out model.GroupPreview
	err = c.groups.edit(ctx, c.groups.params(link.MasterKey), func(e *groupEdit) error {
		preview, err := e.preview(ctx, link.Password)
		if err != nil {
			return err
		}
		out = preview.Model()
		record := e.known.record
		if record.GetStanding() != storepb.GroupStanding_GROUP_UNFETCHED && !record.GetForgotten() {
			out.Membership = membershipOf(record.GetStanding())
		}
		return nil
	})
	return out, err
}
