package group

import (
	"errors"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// TestRandomLives has people do what comes to their minds with groups. Whatever the rules here let through, the service
// takes; and the state by the changes is the service's own, after every one of them.
func TestRandomLives(t *testing.T) {
	for seed := range int64(4) {
		w := newWorld(t, seed, 9, MaxSize, 1, 2)
		done := 0
		for range stepsOfALife {
			before := w.state
			change, err := w.anything()
			if err != nil {
				require.True(t, refusedHere(err), "seed %d: the service refused what the rules allow: %v", seed, err)
				continue
			}
			if change == nil {
				continue
			}
			done++
			said := Differences(&before, w.state, change, w.people[0].Identity)
			if len(change.ProfileKeys) == 0 {
				require.NotEmpty(t, said, "a change that is not told: %+v", change)
			}
			for _, c := range said {
				require.Equal(t, w.state.Revision, c.Revision)
			}
			require.Empty(t, Differences(&w.state, w.state, nil, w.people[0].Identity))
		}
		require.Greater(t, done, 10)
		t.Logf("seed %d: %d revisions", seed, done)
	}
}

func refusedHere(err error) bool {
	return errors.Is(err, ErrRule) || errors.Is(err, model.ErrPermission) || errors.Is(err, model.ErrNotAGroupMember) ||
		errors.Is(err, model.ErrNotFound) || errors.Is(err, ErrApart)
}

// anything is one thing that someone does: nil where it led to nothing.
func (w *world) anything() (*Change, error) {
	who := w.random.Intn(len(w.people))
	self := w.people[who].Identity
	switch w.random.Intn(10) {
	case 0:
		actions, err := w.state.Leave(w.params, self, w.someone(w.random.Intn(2)))
		if err != nil || actions == nil {
			return nil, err
		}
		change, err := w.send(who, nil, actions)
		return &change, err
	case 1, 2:
		actions, err := w.state.Accept(w.params, self, w.people[who].presentation(w.params))
		if err != nil || actions == nil {
			return nil, err
		}
		change, err := w.send(who, nil, actions)
		return &change, err
	case 3:
		if w.state.MembershipOf(self) != model.GroupLeft {
			return nil, nil
		}
		actions, err := JoinByLink(w.preview(who), w.people[who].presentation(w.params))
		if err != nil || actions == nil {
			return nil, err
		}
		change, err := w.send(who, w.state.LinkPassword, actions)
		return &change, err
	}
	e, err := w.state.Edit(w.params, self, w.random)
	if err != nil {
		return nil, err
	}
	for range 1 + w.random.Intn(3) {
		if err := w.wish(e); err != nil {
			return nil, err
		}
	}
	actions, something := e.Actions()
	if !something {
		return nil, nil
	}
	change, err := w.send(who, nil, actions)
	return &change, err
}

func (w *world) preview(who int) Preview {
	return Preview{
		Revision: w.state.Revision, Access: w.state.Access.AddFromInviteLink,
		Requested: w.state.requested(w.people[who].Identity),
	}
}

func (w *world) someone(n int) (ids []serviceid.ServiceID) {
	for range n {
		ids = append(ids, w.people[w.random.Intn(len(w.people))].ACI)
	}
	return ids
}

// wish is one random wish.
func (w *world) wish(e *Edit) error {
	permissions := []model.GroupPermission{model.GroupPermissionMembers, model.GroupPermissionAdmins}
	permission := permissions[w.random.Intn(2)]
	texts := []string{"Hikers", "Climbers", "🏔️ Ålesund", "x"}
	text := texts[w.random.Intn(len(texts))]
	password, err := NewPassword(w.random)
	require.NoError(w.t, err)
	switch w.random.Intn(20) {
	case 0:
		return e.Title(text)
	case 1:
		return e.Description(text)
	case 2:
		return e.Avatar("groups/" + text)
	case 3:
		return e.Timer(uint32(w.random.Intn(3)) * 60)
	case 4:
		return e.AnnouncementsOnly(w.random.Intn(2) == 0)
	case 5:
		return e.AddMembersBy(permission)
	case 6:
		return e.EditDetailsBy(permission)
	case 7:
		return e.EditLabelsBy(permission)
	case 8, 9:
		states := []model.GroupLinkState{model.GroupLinkOn, model.GroupLinkOff, model.GroupLinkApproval}
		return e.Link(states[w.random.Intn(3)], password)
	case 10:
		return e.ResetLink(password)
	case 11:
		return e.Remove(w.someone(1)...)
	case 12:
		return e.Ban(w.someone(1)...)
	case 13:
		return e.Unban(w.someone(2)...)
	case 14:
		return e.Promote(w.someone(1)...)
	case 15:
		return e.Demote(w.someone(1)...)
	case 16:
		if len(w.state.Requesting) > 0 {
			return e.Approve(w.state.Requesting[0].ACI)
		}
	case 17:
		if len(w.state.Requesting) > 0 {
			return e.Deny(w.state.Requesting[0].ACI)
		}
	case 18:
		emoji := "🥾"
		return e.Label(&text, &emoji)
	}
	return e.Add(w.newcomer())
}

func (w *world) newcomer() Candidate {
	c := w.candidate(w.random.Intn(len(w.people)), RoleMember)
	switch w.random.Intn(4) {
	case 0:
		c.Presentation = nil
	case 1:
		for _, p := range w.people {
			if p.ACI == c.ServiceID {
				c.ServiceID, c.Presentation = p.PNI, nil
			}
		}
	case 2:
		c.Role = RoleAdmin
	}
	return c
}

// TestBansMakeRoom has a full list of bans: the oldest make room.
func TestBansMakeRoom(t *testing.T) {
	random := rand.New(rand.NewSource(7))
	w := newWorld(t, 7, 3, MaxSize)
	var banned []serviceid.ServiceID
	for range MaxSize {
		banned = append(banned, newPerson(random).ACI)
	}
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.Ban(banned...) }))
	require.Len(t, w.state.Banned, MaxSize)
	require.NoError(t, w.edit(0, func(e *Edit) error { return e.Ban(w.people[1].ACI, w.people[2].ACI) }))
	require.Len(t, w.state.Banned, MaxSize)
	require.False(t, w.state.IsBanned(banned[0]))
	require.False(t, w.state.IsBanned(banned[1]))
	require.True(t, w.state.IsBanned(banned[2]))
	require.True(t, w.state.IsBanned(w.people[2].ACI))
}
