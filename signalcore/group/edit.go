package group

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// Edit gathers what this account wants of a group into the actions of one revision. Each method holds the wish against
// the state and the rules of the service (storage-service GroupAuth, GroupValidator) before anything is sent; what is so
// already adds nothing, so that a wish can be built again on a newer state. An error leaves the edit unusable.
//
// Two wishes about the same person that the service does not take in one revision are ErrApart.
type Edit struct {
	state   State
	params  *zkgroup.GroupSecretParams
	self    Identity
	random  io.Reader
	role    Role
	actions *servicepb.GroupChange_Actions
	// touched are the people of this revision, by the wish that they are in.
	touched map[serviceid.ServiceID]string
	roles   map[serviceid.ServiceID]Role
	gone    map[serviceid.ServiceID]bool
	// incoming are the roles in the actions by which people come in.
	incoming map[serviceid.ServiceID]*servicepb.Member_Role
	added    int
}

// Edit begins a revision. Who is no member, or edits a group that was ended, can change nothing.
func (s State) Edit(params *zkgroup.GroupSecretParams, self Identity, random io.Reader) (*Edit, error) {
	if s.Terminated {
		return nil, ErrTerminated
	}
	me, ok := s.Member(self.ACI)
	if !ok {
		return nil, model.ErrNotAGroupMember
	}
	e := newEdit(s, params, self, random)
	e.role = me.Role
	return e, nil
}

func newEdit(s State, params *zkgroup.GroupSecretParams, self Identity, random io.Reader) *Edit {
	return &Edit{
		state: s, params: params, self: self, random: random,
		actions: &servicepb.GroupChange_Actions{Version: proto.Uint32(s.Revision + 1)},
		touched: make(map[serviceid.ServiceID]string), roles: make(map[serviceid.ServiceID]Role),
		gone: make(map[serviceid.ServiceID]bool), incoming: make(map[serviceid.ServiceID]*servicepb.Member_Role),
	}
}

// Actions returns what to send, or false where nothing is to be done.
func (e *Edit) Actions() (*servicepb.GroupChange_Actions, bool) {
	empty := proto.Size(e.actions) == proto.Size(&servicepb.GroupChange_Actions{Version: e.actions.Version})
	return e.actions, !empty
}

func (e *Edit) admin(what string) error {
	if e.role != RoleAdmin {
		return fmt.Errorf("%w %s", ErrNotAdmin, what)
	}
	return nil
}

func (e *Edit) details(what string) error {
	if !e.state.Access.Attributes.allows(e.role) {
		return fmt.Errorf("%w %s", ErrNotAdmin, what)
	}
	return nil
}

// touch notes that a wish is about someone.
func (e *Edit) touch(id serviceid.ServiceID, wish string) error {
	if other, ok := e.touched[id]; ok && other != wish {
		return fmt.Errorf("%w: to %s and to %s the same person", ErrApart, other, wish)
	}
	e.touched[id] = wish
	return nil
}

// Title changes the title.
func (e *Edit) Title(text string) error {
	text = strings.TrimSpace(text)
	if text == e.state.Title {
		return nil
	}
	if err := e.details("change the title"); err != nil {
		return err
	}
	sealed, err := sealTitle(e.random, e.params, text)
	if err != nil {
		return err
	}
	e.actions.ModifyTitle = &servicepb.GroupChange_Actions_ModifyTitleAction{Title: sealed}
	return nil
}

func sealTitle(random io.Reader, params *zkgroup.GroupSecretParams, text string) ([]byte, error) {
	if text == "" {
		return nil, ruleError("a group needs a title")
	}
	if err := checkText("title", text, MaxTitle, MaxTitleBytes); err != nil {
		return nil, err
	}
	sealed, err := seal(random, params, &servicepb.GroupAttributeBlob{
		Content: &servicepb.GroupAttributeBlob_Title{Title: text},
	})
	if err != nil {
		return nil, err
	}
	return sealed, checkSealed("title", sealed, maxSealedTitle)
}

// Description changes the description, or removes it.
func (e *Edit) Description(text string) error {
	text = strings.TrimSpace(text)
	if text == e.state.Description {
		return nil
	}
	if err := e.details("change the description"); err != nil {
		return err
	}
	sealed, err := sealDescription(e.random, e.params, text)
	if err != nil {
		return err
	}
	e.actions.ModifyDescription = &servicepb.GroupChange_Actions_ModifyDescriptionAction{Description: sealed}
	return nil
}

func sealDescription(random io.Reader, params *zkgroup.GroupSecretParams, text string) ([]byte, error) {
	if err := checkText("description", text, MaxDescription, MaxDescriptionBytes); err != nil {
		return nil, err
	}
	sealed, err := seal(random, params, &servicepb.GroupAttributeBlob{
		Content: &servicepb.GroupAttributeBlob_DescriptionText{DescriptionText: text},
	})
	if err != nil {
		return nil, err
	}
	return sealed, checkSealed("description", sealed, maxSealedDescription)
}

// MayChangeDetails tells whether this account may change title, description, picture and timer: a picture is uploaded
// before it is named in a revision.
func (s State) MayChangeDetails(self Identity) error {
	me, ok := s.Member(self.ACI)
	switch {
	case s.Terminated:
		return ErrTerminated
	case !ok:
		return model.ErrNotAGroupMember
	case !s.Access.Attributes.allows(me.Role):
		return fmt.Errorf("%w change the picture", ErrNotAdmin)
	}
	return nil
}

// Avatar names the uploaded picture; an empty path removes it.
func (e *Edit) Avatar(path string) error {
	if path == e.state.AvatarPath {
		return nil
	}
	if err := e.details("change the picture"); err != nil {
		return err
	}
	e.actions.ModifyAvatar = &servicepb.GroupChange_Actions_ModifyAvatarAction{Avatar: proto.String(path)}
	return nil
}

// Timer sets the timer of the conversation in seconds, 0 for off.
func (e *Edit) Timer(seconds uint32) error {
	if seconds == e.state.TimerSeconds {
		return nil
	}
	if err := e.details("change the timer"); err != nil {
		return err
	}
	sealed, err := sealTimer(e.random, e.params, seconds)
	if err != nil {
		return err
	}
	e.actions.ModifyDisappearingMessageTimer =
		&servicepb.GroupChange_Actions_ModifyDisappearingMessageTimerAction{Timer: sealed}
	return nil
}

func sealTimer(random io.Reader, params *zkgroup.GroupSecretParams, seconds uint32) ([]byte, error) {
	return seal(random, params, &servicepb.GroupAttributeBlob{
		Content: &servicepb.GroupAttributeBlob_DisappearingMessagesDuration{DisappearingMessagesDuration: seconds},
	})
}

// AnnouncementsOnly says whether only admins may send.
func (e *Edit) AnnouncementsOnly(only bool) error {
	if only == e.state.AnnouncementsOnly {
		return nil
	}
	if err := e.admin("say who may send"); err != nil {
		return err
	}
	e.actions.ModifyAnnouncementsOnly =
		&servicepb.GroupChange_Actions_ModifyAnnouncementsOnlyAction{AnnouncementsOnly: proto.Bool(only)}
	return nil
}

// AddMembersBy says who may add members.
func (e *Edit) AddMembersBy(permission model.GroupPermission) error {
	rule, err := e.rule(permission, e.state.Access.Members)
	if rule != nil {
		e.actions.ModifyMemberAccess =
			&servicepb.GroupChange_Actions_ModifyMembersAccessControlAction{MembersAccess: rule.wire()}
	}
	return err
}

// EditDetailsBy says who may change title, description, picture and timer.
func (e *Edit) EditDetailsBy(permission model.GroupPermission) error {
	rule, err := e.rule(permission, e.state.Access.Attributes)
	if rule != nil {
		e.actions.ModifyAttributesAccess =
			&servicepb.GroupChange_Actions_ModifyAttributesAccessControlAction{AttributesAccess: rule.wire()}
	}
	return err
}

// EditLabelsBy says who may give themselves a label.
func (e *Edit) EditLabelsBy(permission model.GroupPermission) error {
	rule, err := e.rule(permission, e.state.Access.labels())
	if rule != nil {
		e.actions.ModifyMemberLabelAccess =
			&servicepb.GroupChange_Actions_ModifyMemberLabelAccessControlAction{MemberLabelAccess: rule.wire()}
	}
	return err
}

// rule returns the new rule, nil where it is so already.
func (e *Edit) rule(permission model.GroupPermission, have Required) (*Required, error) {
	want, err := requiredOf(permission)
	if err != nil || want == have {
		return nil, err
	}
	return &want, e.admin("change the permissions")
}

// Link turns the link on or off. Password is taken where the group never had one.
func (e *Edit) Link(state model.GroupLinkState, password []byte) error {
	want, err := linkRequired(state)
	if err != nil {
		return err
	}
	if e.state.linkState() == state {
		return nil
	}
	if err := e.admin("change the link"); err != nil {
		return err
	}
	e.actions.ModifyAddFromInviteLinkAccess =
		&servicepb.GroupChange_Actions_ModifyAddFromInviteLinkAccessControlAction{AddFromInviteLinkAccess: want.wire()}
	if state != model.GroupLinkOff && len(e.state.LinkPassword) == 0 {
		return e.password(password)
	}
	return nil
}

// ResetLink puts another password into the link: the old link is worth nothing any more.
func (e *Edit) ResetLink(password []byte) error {
	if slices.Equal(e.state.LinkPassword, password) {
		return nil
	}
	if err := e.admin("change the link"); err != nil {
		return err
	}
	return e.password(password)
}

func (e *Edit) password(password []byte) error {
	if len(password) != PasswordSize {
		return ruleError("a link's password has %d bytes, not %d", PasswordSize, len(password))
	}
	e.actions.ModifyInviteLinkPassword =
		&servicepb.GroupChange_Actions_ModifyInviteLinkPasswordAction{InviteLinkPassword: password}
	return nil
}

// NewPassword makes a password for a link.
func NewPassword(random io.Reader) ([]byte, error) {
	password := make([]byte, PasswordSize)
	if _, err := io.ReadFull(random, password); err != nil {
		return nil, fmt.Errorf("make a link's password: %w", err)
	}
	return password, nil
}

// Label gives this account a label in the group; nil keeps a part as it is, an empty text removes the label.
func (e *Edit) Label(text, emoji *string) error {
	me, ok := e.state.Member(e.self.ACI)
	if !ok {
		return model.ErrNotAGroupMember
	}
	newText, newEmoji := me.Label, me.LabelEmoji
	if text != nil {
		newText = strings.TrimSpace(*text)
	}
	if emoji != nil {
		newEmoji = strings.TrimSpace(*emoji)
	}
	if newText == "" && text != nil && emoji == nil {
		newEmoji = "" // it goes with its label
	}
	if newText == me.Label && newEmoji == me.LabelEmoji {
		return nil
	}
	if !e.state.Access.labels().allows(e.role) {
		return fmt.Errorf("%w have a label here", ErrNotAdmin)
	}
	return e.setLabel(newText, newEmoji)
}

func (e *Edit) setLabel(text, emoji string) error {
	if err := checkLabel(text, emoji); err != nil {
		return err
	}
	action := &servicepb.GroupChange_Actions_ModifyMemberLabelAction{UserId: e.params.EncryptServiceID(e.self.ACI)}
	for _, part := range []struct {
		text string
		to   *[]byte
	}{{text, &action.LabelString}, {emoji, &action.LabelEmoji}} {
		if part.text == "" {
			continue
		}
		sealed, err := sealBytes(e.random, e.params, []byte(part.text))
		if err != nil {
			return err
		}
		*part.to = sealed
	}
	e.actions.ModifyMemberLabels = []*servicepb.GroupChange_Actions_ModifyMemberLabelAction{action}
	return nil
}
