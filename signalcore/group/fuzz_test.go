package group

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

func TestInviteLinks(t *testing.T) {
	link := InviteLink{MasterKey: zkgroup.MasterKey{1, 2, 3, 0xfb, 0xff}, Password: []byte{0xfe, 0xff, 3, 4}}
	text := link.String()
	require.Regexp(t, `^https://signal\.group/#[A-Za-z0-9_-]+$`, text)
	code := text[len("https://signal.group/#"):]
	b, err := base64.RawURLEncoding.DecodeString(code)
	require.NoError(t, err)
	for _, form := range []string{
		text, " " + text + "\n", "sgnl://signal.group/#" + code, "https://signal.group#" + code,
		"HTTPS://Signal.Group/#" + code, "https://signal.group/#" + base64.URLEncoding.EncodeToString(b),
		"https://signal.group/#" + base64.StdEncoding.EncodeToString(b),
	} {
		got, err := ParseInviteLink(form)
		require.NoError(t, err, form)
		require.Equal(t, link, got)
	}
	other, err := proto.Marshal(&servicepb.GroupInviteLink{})
	require.NoError(t, err)
	later := append(other, 0x12, 0x00) // contents of a second version
	short, err := proto.Marshal(&servicepb.GroupInviteLink{Contents: &servicepb.GroupInviteLink_ContentsV1{
		ContentsV1: &servicepb.GroupInviteLink_GroupInviteLinkContentsV1{
			GroupMasterKey: make([]byte, 31), InviteLinkPassword: b,
		},
	}})
	require.NoError(t, err)
	for _, bad := range []string{
		"", "hello", "https://signal.group/", "https://signal.group/#", "https://signal.me/#" + code,
		"http://signal.group/#" + code, "https://signal.group/x#" + code, "https://signal.group/#!!!",
		"https://signal.group/#" + code[:10], "%zz" + text, text + fmt.Sprintf("%2000d", 1),
		"https://signal.group/#" + base64.RawURLEncoding.EncodeToString(later),
		"https://signal.group/#" + base64.RawURLEncoding.EncodeToString(short),
	} {
		_, err := ParseInviteLink(bad)
		require.ErrorIs(t, err, ErrLink, bad)
		require.ErrorIs(t, err, ErrRule, bad)
	}
	require.NotContains(t, fmt.Sprintf("%v %+v %s %q", link, link, link, link), code)
}

func FuzzParseInviteLink(f *testing.F) {
	f.Add(InviteLink{Password: []byte{1}}.String())
	f.Add("sgnl://signal.group/#CjQKIAAA")
	f.Fuzz(func(t *testing.T, text string) {
		link, err := ParseInviteLink(text)
		if err != nil {
			require.ErrorIs(t, err, ErrLink)
			return
		}
		again, err := ParseInviteLink(link.String())
		require.NoError(t, err)
		require.Equal(t, link, again)
	})
}

// fuzzWorld is a group with someone in every list.
func fuzzWorld(f *testing.F) *world {
	w := newWorld(f, 30, 6, MaxSize, 1)
	if err := w.edit(0, func(e *Edit) error {
		if err := e.Add(Candidate{ServiceID: w.people[2].ACI, Role: RoleMember}); err != nil {
			return err
		}
		return e.Ban(w.people[3].ACI)
	}); err != nil {
		f.Fatal(err)
	}
	return w
}

func FuzzDecrypt(f *testing.F) {
	w := fuzzWorld(f)
	seed, err := proto.Marshal(w.service.group)
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var g servicepb.Group
		if proto.Unmarshal(b, &g) != nil {
			return
		}
		s, err := Decrypt(&g, w.params)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		stored, err := s.Marshal()
		require.NoError(t, err)
		_, err = Unmarshal(stored)
		require.NoError(t, err)
		s.Model(w.people[0].Identity)
		Differences(&w.state, s, nil, w.people[0].Identity)
	})
}

func FuzzChange(f *testing.F) {
	w := fuzzWorld(f)
	before := w.state
	for _, wish := range []func(*Edit) error{
		func(e *Edit) error { return e.Title("x") },
		func(e *Edit) error { return e.Remove(w.people[1].ACI, w.people[2].ACI) },
		func(e *Edit) error { return e.Unban(w.people[3].ACI) },
		func(e *Edit) error { return e.Add(w.candidate(4, RoleAdmin)) },
	} {
		e, err := before.Edit(w.params, w.people[0].Identity, w.random)
		require.NoError(f, err)
		require.NoError(f, wish(e))
		actions, _ := e.Actions()
		b, err := proto.Marshal(actions)
		require.NoError(f, err)
		signed, err := proto.Marshal(&servicepb.GroupChange{Actions: b})
		require.NoError(f, err)
		f.Add(signed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseSigned(b, w.params, nil)
		if err != nil {
			return
		}
		c.LearnedKeys()
		c.Revision = before.Revision + 1
		after, err := before.Apply(c)
		if err != nil {
			require.ErrorIs(t, err, ErrNotApplicable)
			return
		}
		require.NoError(t, after.check())
		Differences(&before, after, &c, w.people[0].Identity)
		after.After(c, w.people[1].Identity)
		_, err = after.Marshal()
		require.NoError(t, err)
	})
}

func FuzzUnmarshal(f *testing.F) {
	b, err := fuzzWorld(f).state.Marshal()
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Unmarshal(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformed)
			return
		}
		again, err := s.Marshal()
		require.NoError(t, err)
		_, err = Unmarshal(again)
		require.NoError(t, err)
	})
}

func FuzzPreview(f *testing.F) {
	w := fuzzWorld(f)
	seed, err := proto.Marshal(&servicepb.GroupJoinInfo{PublicKey: w.params.PublicParams(), Title: w.service.group.Title})
	require.NoError(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, b []byte) {
		var in servicepb.GroupJoinInfo
		if proto.Unmarshal(b, &in) != nil {
			return
		}
		p, err := DecryptPreview(&in, w.params)
		if err != nil {
			require.ErrorIs(t, err, ErrState)
			return
		}
		p.Model()
	})
}
