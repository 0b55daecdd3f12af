package signalcore

import (
	"context"
	"errors"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
)

// groupPart is a part of an update, by its name in the request.
type groupPart struct {
	name model.GroupPart
	wish func(*group.Edit) error
}

// UpdateGroup implements commands.Groups. All parts go into one revision; those that the service does not take together
// (someone taken out and added again) into several, in order.
func (c *Client) UpdateGroup(ctx context.Context, update model.GroupUpdate) (model.GroupResult, error) {
	var result model.GroupResult
	err := c.groups.editByID(ctx, update.Group, func(e *groupEdit) error {
		parts, failures, err := e.parts(ctx, update)
		if before := e.known.state.Revision; err != nil && isRule(err) { // or the known state is an old one
			if fetchErr := e.refetch(ctx, 0); fetchErr == nil && e.known.state.Revision > before {
				parts, failures, err = e.parts(ctx, update)
			}
		}
		if err != nil {
			return err
		}
		done, err := e.carryOut(ctx, parts)
		if err != nil {
			return err
		}
		result = e.result()
		result.Done, result.Failures = done, failures
		return nil
	})
	return result, err
}

// isRule tells what the rules of a group are against, as far as another state may be for it.
func isRule(err error) bool {
	return errors.Is(err, group.ErrRule) && !errors.Is(err, group.ErrTooLong) ||
		errors.Is(err, model.ErrPermission) || errors.Is(err, model.ErrNotAGroupMember)
}

// carryOut does the parts, and names those that are done. Its error is a *model.GroupPartError.
func (e *groupEdit) carryOut(ctx context.Context, parts []groupPart) (done []model.GroupPart, err error) {
	together := len(parts)
	for len(parts) > 0 {
		taken := 0
		err := e.revise(ctx, func(state group.State) (actions *servicepb.GroupChange_Actions, err error) {
			actions, taken, err = e.combine(state, parts[:min(together, len(parts))])
			return actions, err
		})
		if isRefused(err) && taken > 1 {
			together = 1 // to find out which one it is, and to do the others
			continue
		}
		if err != nil {
			return done, partError(parts[0].name, done, err)
		}
		for _, p := range parts[:taken] {
			done = append(done, p.name)
		}
		parts = parts[taken:]
	}
	return done, nil
}

// isRefused tells a service that does not take a revision.
func isRefused(err error) bool {
	return errors.Is(err, service.ErrGroupRejected) || errors.Is(err, service.ErrGroupForbidden)
}

// partError says what was done, and which part failed: the one that the rules are against, or the first that was tried.
func partError(name model.GroupPart, done []model.GroupPart, err error) error {
	if part, ok := errors.AsType[*model.GroupPartError](err); ok {
		return &model.GroupPartError{Part: part.Part, Done: done, Err: part.Err}
	}
	return &model.GroupPartError{Part: name, Done: done, Err: err}
}

type personalWish = func(*group.Edit, ...serviceid.ServiceID) error

// combine puts as many parts into one revision as go together, and says how many those are.
func (e *groupEdit) combine(
	state group.State, parts []groupPart,
) (actions *servicepb.GroupChange_Actions, taken int, err error) {
	for n := len(parts); n > 0; n = taken {
		edit, err := state.Edit(e.params, e.self, e.config.Rand)
		if err != nil {
			return nil, 0, err
		}
		for taken = 0; taken < n; taken++ {
			if err = parts[taken].wish(edit); err != nil {
				break
			}
		}
		switch {
		case err == nil:
			if actions, something := edit.Actions(); something {
				return actions, taken, nil
			}
			return nil, taken, nil
		case !errors.Is(err, group.ErrApart) || taken == 0:
			return nil, 0, &model.GroupPartError{Part: parts[taken].name, Err: err}
		}
	}
	return nil, 0, nil
}

// parts makes the parts of an update. What takes the service's help is done here: who people are, their credentials, the
// upload of a picture. So that nothing is asked for in vain, the rules are looked at first.
func (e *groupEdit) parts(ctx context.Context, u model.GroupUpdate) ([]groupPart, []model.SendFailure, error) {
	parts, err := e.detailParts(u)
	if err != nil {
		return nil, nil, err
	}
	people, failures, err := e.peopleParts(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	parts = append(parts, people...)
	parts = append(parts, labelParts(u)...)
	_, _, err = e.combine(e.known.state, parts)
	if err == nil && u.Avatar != nil {
		if err = e.known.state.MayChangeDetails(e.self); err != nil {
			err = &model.GroupPartError{Part: model.GroupPartAvatar, Err: err}
		}
	}
	if err != nil || u.Avatar == nil {
		return parts, failures, err
	}
	path, err := e.upload(ctx, u.Avatar)
	if err != nil {
		return nil, nil, &model.GroupPartError{Part: model.GroupPartAvatar, Err: err}
	}
	picture := groupPart{model.GroupPartAvatar, func(x *group.Edit) error { return x.Avatar(path) }}
	return append([]groupPart{picture}, parts...), failures, nil
}

// part makes a part of a value, where there is one.
func part[T any](parts *[]groupPart, name model.GroupPart, value *T, wish func(*group.Edit, T) error) {
	if value != nil {
		*parts = append(*parts, groupPart{name, func(e *group.Edit) error { return wish(e, *value) }})
	}
}

// detailParts are those about the group itself.
func (e *groupEdit) detailParts(u model.GroupUpdate) (parts []groupPart, err error) {
	part(&parts, model.GroupPartTitle, u.Title, (*group.Edit).Title)
	part(&parts, model.GroupPartDescription, u.Description, (*group.Edit).Description)
	part(&parts, model.GroupPartTimer, u.ExpiresInSeconds, (*group.Edit).Timer)
	part(&parts, model.GroupPartAnnouncements, u.AnnouncementsOnly, (*group.Edit).AnnouncementsOnly)
	part(&parts, model.GroupPartAddMembersBy, u.AddMembersBy, (*group.Edit).AddMembersBy)
	part(&parts, model.GroupPartEditDetailsBy, u.EditDetailsBy, (*group.Edit).EditDetailsBy)
	part(&parts, model.GroupPartEditLabelsBy, u.EditLabelsBy, (*group.Edit).EditLabelsBy)
	// One password for the whole command: what is built anew must not make another link.
	password, err := group.NewPassword(e.config.Rand)
	if err != nil {
		return nil, err
	}
	part(&parts, model.GroupPartLink, u.Link, func(x *group.Edit, state model.GroupLinkState) error {
		return x.Link(state, password)
	})
	if u.ResetLink {
		reset := func(x *group.Edit) error { return x.ResetLink(password) }
		parts = append(parts, groupPart{model.GroupPartResetLink, reset})
	}
	return parts, nil
}

// peopleParts are those about members and those who might become it.
func (e *groupEdit) peopleParts(
	ctx context.Context, u model.GroupUpdate,
) (parts []groupPart, failures []model.SendFailure, err error) {
	if len(u.AddMembers) > 0 {
		added, failed, err := e.candidates(ctx, e.params, u.AddMembers, group.RoleMember)
		if err == nil && len(added) == 0 && len(failed) > 0 {
			err = failed[0].Err
		}
		if err != nil {
			return nil, nil, &model.GroupPartError{Part: model.GroupPartAddMembers, Err: err}
		}
		failures = failed
		parts = append(parts, groupPart{model.GroupPartAddMembers, func(x *group.Edit) error { return x.Add(added...) }})
	}
	for _, p := range []struct {
		name   model.GroupPart
		people []model.Recipient
		wish   personalWish
	}{
		{model.GroupPartRemoveMembers, u.RemoveMembers, (*group.Edit).Remove},
		{model.GroupPartAddAdmins, u.AddAdmins, (*group.Edit).Promote},
		{model.GroupPartRemoveAdmins, u.RemoveAdmins, (*group.Edit).Demote},
		{model.GroupPartBan, u.Ban, (*group.Edit).Ban},
		{model.GroupPartUnban, u.Unban, (*group.Edit).Unban},
		{model.GroupPartApprove, u.Approve, (*group.Edit).Approve},
		{model.GroupPartDeny, u.Deny, (*group.Edit).Deny},
	} {
		if len(p.people) == 0 {
			continue
		}
		ids, err := e.people(ctx, p.people)
		if err != nil {
			return nil, nil, &model.GroupPartError{Part: p.name, Err: err}
		}
		parts = append(parts, groupPart{p.name, func(x *group.Edit) error { return p.wish(x, ids...) }})
	}
	return parts, failures, nil
}

// labelParts are those of the account's own label, which is one thing to the service.
func labelParts(u model.GroupUpdate) (parts []groupPart) {
	both := func(x *group.Edit) error { return x.Label(u.Label, u.LabelEmoji) }
	if u.Label != nil {
		parts = append(parts, groupPart{model.GroupPartLabel, both})
	}
	if u.LabelEmoji != nil {
		parts = append(parts, groupPart{model.GroupPartLabelEmoji, both})
	}
	return parts
}
