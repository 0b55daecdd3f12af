package group

import (
	"bytes"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// Preview is what the service shows of a group to who has its link.
type Preview struct {
	ID          zkgroup.GroupID
	Title       string
	Description string
	AvatarPath  string
	Members     int
	Revision    uint32
	Access      Required // Any for joining at once, Admin for asking
	// Requested says that this account has asked already; Full that nobody more can ask.
	Requested bool
	Full      bool
}

// DecryptPreview reads a preview. One of another group is ErrState.
func DecryptPreview(in *servicepb.GroupJoinInfo, params *zkgroup.GroupSecretParams) (Preview, error) {
	if !bytes.Equal(in.GetPublicKey(), params.PublicParams()) {
		return Preview{}, stateError("it is that of another group")
	}
	if err := fitting(in.GetAvatar(), nil); err != nil {
		return Preview{}, err
	}
	return Preview{
		ID:    params.GroupID(),
		Title: title(params, in.GetTitle()), Description: description(params, in.GetDescription()),
		AvatarPath: in.GetAvatar(), Members: int(in.GetMemberCount()), Revision: in.GetVersion(),
		Access: Required(in.GetAddFromInviteLink()), Requested: in.GetPendingAdminApproval(),
		Full: in.GetPendingAdminApprovalFull(),
	}, nil
}

// Model returns the preview as commands show it. The membership is for the caller to set.
func (p Preview) Model() model.GroupPreview {
	return model.GroupPreview{
		ID: p.ID[:], Title: p.Title, Description: p.Description, HasAvatar: p.AvatarPath != "",
		Members: p.Members, Revision: p.Revision, Link: p.Access.link(), PendingApproval: p.Requested,
	}
}
