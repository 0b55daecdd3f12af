package signalcore

import (
	"context"
	"errors"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Groups implements commands.Groups.
func (c *Client) Groups(context.Context) ([]model.Group, error) {
	if c.accounts.get() == nil {
		return nil, model.ErrNotLinked
	}
	out := []model.Group{}
	err := c.store.View(func(tx *store.Tx) error {
		return tx.Groups(func(listed *storepb.Group) error {
			known, err := c.groups.load(tx, listed.GetGroupId())
			if errors.Is(err, model.ErrGroupNotFound) {
				return nil // deleted, and not yet gone
			}
			if err == nil {
				out = append(out, c.groups.model(known))
			}
			return err
		})
	})
	return out, storageError(err)
}

// Group implements commands.Groups. A group that was never fetched is fetched at the first question.
func (c *Client) Group(ctx context.Context, id []byte, refresh bool) (model.Group, error) {
	known, err := c.groups.byID(id)
	if err != nil {
		return model.Group{}, err
	}
	unfetched := known.record.GetStanding() == storepb.GroupStanding_GROUP_UNFETCHED
	if refresh || unfetched && c.connector.connected() {
		fresh, err := c.groups.sync(ctx, known.params.MasterKey(), 0)
		switch {
		case err == nil:
			known = fresh
		case refresh:
			return model.Group{}, err
		}
	}
	return c.groups.model(known), nil
}

// byID reads a group for a command.
func (k *groupKeeper) byID(id []byte) (known *knownGroup, err error) {
	if k.accounts.get() == nil {
		return nil, model.ErrNotLinked
	}
	err = k.store.View(func(tx *store.Tx) error {
		known, err = k.load(tx, id)
		return err
	})
	return known, storageError(err)
}

// model is a group as commands show it.
func (k *groupKeeper) model(known *knownGroup) model.Group {
	var out model.Group
	if known.fetched() {
		out = known.state.Model(k.whoever())
	}
	if shown := known.record.GetShown(); shown != nil {
		out.Title, out.Description, out.HasAvatar = shown.GetTitle(), shown.GetDescription(), shown.GetHasAvatar()
		out.Link, out.Revision = model.GroupLinkState(shown.GetLink()), shown.GetRevision()
	}
	out.ID, out.Membership = known.id(), membershipOf(known.record.GetStanding())
	out.Blocked = known.record.GetBlocked()
	return out
}

// whoever is the account as the groups know it, also after it was unlinked.
func (k *groupKeeper) whoever() group.Identity {
	a := k.accounts.get()
	if a == nil {
		return group.Identity{}
	}
	return group.Identity{ACI: a.aci, PNI: a.pni}
}
