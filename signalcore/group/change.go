package group

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// HighestEpoch is the latest kind of change that this version can apply: the ending of a group.
const HighestEpoch = 7

// maxChangeSize bounds a signed change: one that adds 1,001 members with their presentations stays below it.
const maxChangeSize = 4 << 20

// Change is what one revision changed, decrypted.
type Change struct {
	// GroupID is zero where the change does not say it: what the log holds from times before it did.
	GroupID  zkgroup.GroupID
	Revision uint32
	// Editor is zero where the change does not tell who made it. It is an ACI, but for a PNI that declines.
	Editor serviceid.ServiceID

	AddMembers        []AddedMember
	DeleteMembers     []serviceid.ServiceID
	Roles             []MemberRole
	ProfileKeys       []MemberKey
	AddPending        []Pending
	DeletePending     []Pending // ServiceID or Ciphertext alone
	PromotePending    []MemberKey
	PromotePNI        []PromotedPNI
	AddRequesting     []Requesting
	DeleteRequesting  []serviceid.ServiceID
	PromoteRequesting []MemberRole
	AddBanned         []Banned
	DeleteBanned      []Banned // ServiceID or Ciphertext alone
	Labels            []MemberLabel

	Title             *string
	Description       *string
	AvatarPath        *string
	TimerSeconds      *uint32
	AnnouncementsOnly *bool
	LinkPassword      []byte // empty for no change
	// The rules are zero for no change.
	Access     Access
	Terminated bool
}

// AddedMember is a member that the change added.
type AddedMember struct {
	Member
	// ByLink says that they added themselves, with the link's password.
	ByLink bool
}

// MemberRole is a member's new role.
type MemberRole struct {
	ACI  serviceid.ServiceID
	Role Role
}

// MemberKey is a member's new profile key.
type MemberKey struct {
	ACI        serviceid.ServiceID
	ProfileKey profilekey.Key
}

// PromotedPNI accepted an invitation that was addressed to their number.
type PromotedPNI struct {
	MemberKey
	PNI serviceid.ServiceID
}

// MemberLabel is a member's new label; both empty where it was taken away.
type MemberLabel struct {
	ACI   serviceid.ServiceID
	Label string
	Emoji string
}

// ParseChange reads a signed change: from the group's log, from the service's answer, from a message. With server, its
// signature and its group are checked; without, both are left to whoever handed it over. Errors: ErrMalformed,
// ErrSignature, ErrTooNew (the whole state has to be fetched), ErrState.
func ParseChange(
	signed *servicepb.GroupChange, params *zkgroup.GroupSecretParams, server *zkgroup.ServerPublicParams,
) (Change, error) {
	if len(signed.GetActions()) > maxChangeSize {
		return Change{}, fmt.Errorf("%w: a change of %d bytes", ErrMalformed, len(signed.GetActions()))
	}
	if server != nil {
		if err := server.VerifySignature(signed.GetActions(), signed.GetServerSignature()); err != nil {
			return Change{}, fmt.Errorf("%w: %w", ErrSignature, err)
		}
	}
	var actions servicepb.GroupChange_Actions
	if err := proto.Unmarshal(signed.GetActions(), &actions); err != nil {
		return Change{}, fmt.Errorf("%w: a change: %w", ErrMalformed, err)
	}
	id := params.GroupID()
	if !bytes.Equal(actions.GetGroupId(), id[:]) && (server != nil || len(actions.GetGroupId()) > 0) {
		return Change{}, fmt.Errorf("%w: it is a change of another group", ErrSignature)
	}
	if signed.GetChangeEpoch() > HighestEpoch || len(actions.ProtoReflect().GetUnknown()) > 0 {
		return Change{}, fmt.Errorf("%w: epoch %d of revision %d", ErrTooNew, signed.GetChangeEpoch(), actions.GetVersion())
	}
	return parseActions(&actions, params)
}

// ParseSigned reads the serialised form of a signed change, as messages carry it.
func ParseSigned(
	signed []byte, params *zkgroup.GroupSecretParams, server *zkgroup.ServerPublicParams,
) (Change, error) {
	var change servicepb.GroupChange
	if len(signed) > maxChangeSize || proto.Unmarshal(signed, &change) != nil || len(change.GetActions()) == 0 {
		return Change{}, fmt.Errorf("%w: a change of %d bytes", ErrMalformed, len(signed))
	}
	return ParseChange(&change, params, server)
}

func parseActions(in *servicepb.GroupChange_Actions, params *zkgroup.GroupSecretParams) (Change, error) {
	c := Change{Revision: in.GetVersion()}
	if len(in.GetGroupId()) == len(c.GroupID) {
		c.GroupID = zkgroup.GroupID(in.GetGroupId())
	}
	r := reader{params}
	c.Editor, _ = r.anyone(in.GetSourceUserId())
	for _, read := range []func(*Change, *servicepb.GroupChange_Actions) error{
		r.memberActions, r.pendingActions, r.requestActions, r.bans, r.labels, r.attributes,
	} {
		if err := read(&c, in); err != nil {
			return Change{}, err
		}
	}
	c.settleEditor()
	return c, nil
}

// settleEditor puts the account in the place of its number where the change tells whose it is: a PNI can decline an
// invitation, and nothing else (Signal-Android GroupsV2Operations, decryptChange).
func (c *Change) settleEditor() {
	if c.Editor.Kind != serviceid.PNI || c.Editor.IsZero() {
		return
	}
	for _, p := range c.PromotePNI {
		if p.PNI == c.Editor {
			c.Editor = p.ACI
			return
		}
	}
	switch {
	case len(c.AddMembers) == 1 && c.AddMembers[0].ByLink:
		c.Editor = c.AddMembers[0].ACI
	case len(c.DeletePending) == 0:
		c.Editor = serviceid.ServiceID{}
	}
}

// LearnedKeys returns the profile keys in a change, and of them the one that the editor gave for themselves, which
// counts more than any other source: nobody else can have made it up.
func (c Change) LearnedKeys() (keys map[serviceid.ServiceID]profilekey.Key, own *profilekey.Key) {
	keys = make(map[serviceid.ServiceID]profilekey.Key)
	for _, m := range c.AddMembers {
		keys[m.ACI] = m.ProfileKey
	}
	for _, m := range c.AddRequesting {
		keys[m.ACI] = m.ProfileKey
	}
	for _, m := range c.ProfileKeys {
		keys[m.ACI] = m.ProfileKey
	}
	for _, m := range c.PromotePending {
		keys[m.ACI] = m.ProfileKey
	}
	for _, m := range c.PromotePNI {
		keys[m.ACI] = m.ProfileKey
	}
	if key, ok := keys[c.Editor]; ok && !c.Editor.IsZero() {
		own = &key
	}
	return keys, own
}
