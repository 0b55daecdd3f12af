package group

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	linkHost = "signal.group"
	// maxLink bounds the text of a link: contents of some 60 bytes make 80 characters.
	maxLink = 1024
	// PasswordSize is the length of the passwords that the service takes (GroupValidator).
	PasswordSize = 16
)

// InviteLink is what a group link holds (Groups.proto, GroupInviteLink, contents v1): whoever has it can look at the
// group's name, and join or ask to. It formats as a placeholder; String is the link.
type InviteLink struct {
	MasterKey zkgroup.MasterKey
	Password  []byte
}

// Format prints a placeholder for every verb.
func (l InviteLink) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "(group link)") }

// String returns the link. It is a secret of the group.
func (l InviteLink) String() string {
	b, err := proto.Marshal(&servicepb.GroupInviteLink{
		Contents: &servicepb.GroupInviteLink_ContentsV1{
			ContentsV1: &servicepb.GroupInviteLink_GroupInviteLinkContentsV1{
				GroupMasterKey: l.MasterKey[:], InviteLinkPassword: l.Password,
			},
		},
	})
	if err != nil {
		return "" // two byte fields always marshal
	}
	return "https://" + linkHost + "/#" + base64.RawURLEncoding.EncodeToString(b)
}

// ParseInviteLink reads https://signal.group/#… and sgnl://signal.group/#…, in URL-safe or standard base64, padded or
// not, as the apps do (Signal-Android GroupInviteLinkUrl, Signal-Desktop ts/util/signalRoutes.ts). What is no such link
// is ErrLink; so is one of a later version.
func ParseInviteLink(text string) (InviteLink, error) {
	if len(text) > maxLink {
		return InviteLink{}, fmt.Errorf("%w: %d characters", ErrLink, len(text))
	}
	link, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return InviteLink{}, fmt.Errorf("%w: it is no URL", ErrLink)
	}
	scheme := strings.ToLower(link.Scheme)
	if scheme != "https" && scheme != "sgnl" || !strings.EqualFold(link.Host, linkHost) ||
		link.Path != "" && link.Path != "/" {
		return InviteLink{}, fmt.Errorf("%w: such links begin with https://%s/#", ErrLink, linkHost)
	}
	code := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(link.Fragment), "=")
	b, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil || len(b) == 0 {
		return InviteLink{}, fmt.Errorf("%w: what follows the # is not base64", ErrLink)
	}
	return parseContents(b)
}

func parseContents(b []byte) (InviteLink, error) {
	var contents servicepb.GroupInviteLink
	if err := proto.Unmarshal(b, &contents); err != nil {
		return InviteLink{}, fmt.Errorf("%w: its contents cannot be read", ErrLink)
	}
	v1 := contents.GetContentsV1()
	if v1 == nil {
		return InviteLink{}, fmt.Errorf("%w: it is of a later version than this one knows", ErrLink)
	}
	key := v1.GetGroupMasterKey()
	if len(key) != len(zkgroup.MasterKey{}) {
		return InviteLink{}, fmt.Errorf("%w: its key has %d bytes", ErrLink, len(key))
	}
	if n := len(v1.GetInviteLinkPassword()); n == 0 || n > maxPassword {
		return InviteLink{}, fmt.Errorf("%w: its password has %d bytes", ErrLink, n)
	}
	return InviteLink{MasterKey: zkgroup.MasterKey(key), Password: v1.GetInviteLinkPassword()}, nil
}
