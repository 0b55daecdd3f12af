package signalcore

import (
	"context"
	"errors"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
)

// CreateGroup implements commands.Groups. Members without a credential are invited; who cannot be added at all is among
// the failures, and where that is everyone who was asked for, the first failure is the error.
func (c *Client) CreateGroup(ctx context.Context, creation model.GroupCreation) (model.GroupResult, error) {
	if _, err := c.accounts.working(); err != nil {
		return model.GroupResult{}, err
	}
	key, err := zkgroup.GenerateMasterKey(c.config.Rand)
	if err != nil {
		return model.GroupResult{}, err
	}
	var result model.GroupResult
	err = c.groups.edit(ctx, c.groups.params(key), func(e *groupEdit) error {
		wish, failures, err := e.creation(ctx, creation)
		if err != nil {
			return err
		}
		if err := e.create(ctx, wish, creation.Avatar); err != nil {
			return err
		}
		result = e.result()
		result.Failures = failures
		return nil
	})
	return result, err
}

// creation finds out who the members are, and presents their credentials.
func (e *groupEdit) creation(
	ctx context.Context, c model.GroupCreation,
) (wish group.Creation, failures []model.SendFailure, err error) {
	wish = group.Creation{
		Title: c.Title, Description: c.Description, TimerSeconds: c.ExpiresInSeconds,
		AnnouncementsOnly: c.AnnouncementsOnly, AddMembers: c.AddMembers, EditDetails: c.EditDetails,
		EditLabels: c.EditLabels, Link: c.Link,
	}
	if wish.Password, err = group.NewPassword(e.config.Rand); err != nil {
		return wish, nil, err
	}
	// What is wrong with the wish itself is found before anyone is asked for anything.
	if _, err := group.Create(e.params, e.self, wish, e.config.Rand); err != nil {
		return wish, nil, err
	}
	for _, of := range []struct {
		people []model.Recipient
		role   group.Role
	}{{c.Admins, group.RoleAdmin}, {c.Members, group.RoleMember}} { // an admin who is named as a member too is an admin
		found, failed, err := e.candidates(ctx, e.params, of.people, of.role)
		if err != nil {
			return wish, nil, err
		}
		wish.Members, failures = append(wish.Members, found...), append(failures, failed...)
	}
	if len(wish.Members) == 0 && len(failures) > 0 {
		return wish, failures, failures[0].Err
	}
	wish.Self, err = e.ownPresentation(ctx, e.params)
	return wish, failures, err
}

// create makes the group. Its key is on disk before it is asked for: so it is found again wherever the daemon is cut short.
func (e *groupEdit) create(ctx context.Context, wish group.Creation, avatar *model.Blob) (err error) {
	if wish.AvatarPath, err = e.upload(ctx, avatar); err != nil {
		return err
	}
	wanted, err := group.Create(e.params, e.self, wish, e.config.Rand)
	if err != nil {
		return err
	}
	if err := e.intend(0); err != nil {
		return err
	}
	if err := e.put(ctx, wanted); err != nil {
		return err
	}
	if err := e.share(); err != nil {
		return err
	}
	return e.announce(group.State{}, nil)
}

// put hands the group to the service. After a lost answer it may be there: no one else can have its key.
func (e *groupEdit) put(ctx context.Context, wanted *servicepb.Group) error {
	var answer *servicepb.GroupResponse
	err := e.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) (err error) {
		answer, err = groups.CreateGroup(ctx, auth, wanted)
		return err
	})
	switch {
	case err == nil && answer.GetGroup() != nil:
		e.known, err = e.adopt(ctx, e.params.MasterKey(), answer)
		return err
	case err == nil, errors.Is(err, service.ErrGroupExists), isLostAnswer(err) && ctx.Err() == nil:
		known, fetchErr := e.syncHolding(ctx, e.params.MasterKey(), groupWish{silent: true})
		if fetchErr != nil || !known.isMember() {
			return errors.Join(err, fetchErr)
		}
		e.known = known
		return nil
	case ctx.Err() != nil:
		return cutShortBy(ctx, err)
	}
	return err
}
