package groups

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// logPage is GroupsController.LOG_VERSION_LIMIT.
	logPage = 64
	// minEndorsements is GroupConfiguration.groupSendEndorsementMinimumLifetime.
	minEndorsements = 6 * time.Hour
	maxAvatar       = 3 << 20
	// maxGroups bounds the groups of a sandbox.
	maxGroups = 10_000
	// MaxBody bounds a request: a group of the largest size, with its presentations.
	MaxBody = 4 << 20
)

// Options are what the groups need from outside.
type Options struct {
	ZK   *zkgroup.ServerSecretParams
	Now  func() time.Time
	Rand io.Reader
	// AvatarForm gives leave to put a picture on CDN 0.
	AvatarForm func(key string, maxSize int64) (*servicepb.AvatarUploadAttributes, error)
}

// Service keeps groups. It is safe for concurrent use.
type Service struct {
	options Options

	mu     sync.Mutex
	groups map[string]*group // by public parameters
}

// group is its log: the states and changes by revision. They are not changed once they are in it.
type group struct {
	id  zkgroup.GroupID
	log []revision
}

type revision struct {
	state  *servicepb.Group
	change *servicepb.GroupChange
}

func (g *group) state() *servicepb.Group { return g.log[len(g.log)-1].state }

// New returns a service without groups.
func New(options Options) *Service { return &Service{options: options, groups: map[string]*group{}} }

// Routes adds the calls of the storage host.
func (s *Service) Routes(rt *wire.Router) {
	for _, call := range []struct {
		method, path string
		handler      func(*caller) (*wire.Response, error)
	}{
		{http.MethodGet, "/v2/groups", s.get},
		{http.MethodPut, "/v2/groups", s.create},
		{http.MethodPatch, "/v2/groups", s.modify},
		{http.MethodGet, "/v2/groups/logs/{from}", s.logs},
		{http.MethodGet, "/v2/groups/joined_at_version", s.joinedAt},
		{http.MethodGet, "/v2/groups/join/{password}", s.joinInfo},
		{http.MethodGet, "/v2/groups/join", s.joinInfo},
		{http.MethodGet, "/v2/groups/avatar/form", s.avatarForm},
		{http.MethodGet, "/v2/groups/token", s.token},
	} {
		rt.Handle(call.method, call.path, wire.Anyone, func(_ context.Context, r *wire.Request) (*wire.Response, error) {
			c, err := s.authenticate(r)
			if err != nil {
				return nil, err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			return call.handler(c)
		})
	}
}

// caller is a request about a group, by somebody who may be anybody.
type caller struct {
	*wire.Request
	user
	publicKey []byte
}

// authenticate is auth/GroupUserAuthenticator: the group's public parameters and a presentation of the day's credential
// for it, both in hexadecimal. 401 for what does not verify.
func (s *Service) authenticate(r *wire.Request) (*caller, error) {
	refused := wire.Unauthorized()
	username, password, present, err := wire.BasicAuth(r.Header)
	if err != nil || !present {
		return nil, refused
	}
	publicKey, keyErr := hex.DecodeString(username)
	presentation, presentationErr := hex.DecodeString(password)
	if keyErr != nil || presentationErr != nil {
		return nil, refused
	}
	presented, err := s.options.ZK.VerifyAuthCredentialPresentation(publicKey, presentation, s.options.Now())
	if err != nil {
		return nil, refused
	}
	return &caller{r, user{presented.ACI(), presented.PNI()}, publicKey}, nil
}

// errClosed is 403 where the controller itself says so, without a body.
var errClosed = wire.RefuseBare(http.StatusForbidden)

func (s *Service) find(c *caller) (*group, error) {
	if g := s.groups[string(c.publicKey)]; g != nil {
		return g, nil
	}
	return nil, wire.RefuseBare(http.StatusNotFound)
}

func (s *Service) opener(publicKey []byte) opener {
	return func(presentation []byte) (userID, profileKey []byte, err error) {
		err = s.options.ZK.VerifyProfileKeyCredentialPresentation(publicKey, presentation, s.options.Now())
		if err != nil {
			return nil, nil, errBad
		}
		return zkgroup.ProfileKeyPresentationCiphertexts(presentation)
	}
}

// endorsements are for all members, for one of them; nothing for others.
func (s *Service) endorsements(c *caller, g *servicepb.Group) ([]byte, error) {
	if c.memberOf(g) == nil {
		return nil, nil
	}
	keys := s.options.ZK.GroupSendKeyPair(zkgroup.GroupSendExpiration(s.options.Now()))
	return keys.IssueGroupSendEndorsements(s.options.Rand, idsOf(g.GetMembers(), memberID))
}

func (s *Service) answer(c *caller, g *servicepb.Group) (*wire.Response, error) {
	endorsements, err := s.endorsements(c, g)
	if err != nil {
		return nil, err
	}
	return wire.Proto(http.StatusOK, &servicepb.GroupResponse{Group: g, GroupSendEndorsementsResponse: endorsements})
}

// get is GroupsController.getGroup, for members and those who are invited.
func (s *Service) get(c *caller) (*wire.Response, error) {
	g, err := s.find(c)
	if err != nil {
		return nil, err
	}
	if c.memberOf(g.state()) == nil && c.invitedTo(g.state()) == nil {
		return nil, errClosed
	}
	return s.answer(c, g.state())
}

// create is GroupsController.createGroup.
func (s *Service) create(c *caller) (*wire.Response, error) {
	var wanted servicepb.Group
	if err := c.DecodeProto(&wanted); err != nil {
		return nil, err
	}
	if string(wanted.GetPublicKey()) != string(c.publicKey) {
		return nil, errClosed
	}
	state, err := newGroup(&wanted, c.user, s.opener(c.publicKey), s.options.Now())
	if err != nil {
		return nil, err
	}
	if s.groups[string(c.publicKey)] != nil {
		return nil, wire.RefuseBare(http.StatusConflict)
	}
	if len(s.groups) >= maxGroups {
		return nil, wire.Limited(time.Hour)
	}
	id, err := zkgroup.GroupIDOf(c.publicKey)
	if err != nil {
		return nil, errBad
	}
	first, err := proto.Marshal(&actions{Version: proto.Uint32(0), SourceUserId: c.memberOf(state).GetUserId()})
	if err != nil {
		return nil, err
	}
	s.groups[string(c.publicKey)] = &group{id: id, log: []revision{
		{state, &servicepb.GroupChange{Actions: first, ChangeEpoch: proto.Uint32(0)}},
	}}
	return s.answer(c, state)
}

// modify is GroupsController.modifyGroup: 409 with the state that stands, 400 where there is none.
func (s *Service) modify(c *caller) (*wire.Response, error) {
	var wanted actions
	if err := c.DecodeProto(&wanted); err != nil {
		return nil, err
	}
	g, err := s.find(c)
	if err != nil {
		return nil, errBad
	}
	password := decodePassword(c.Query.Get("inviteLinkPassword"))
	done, err := apply(g.state(), request{&wanted, c.user, password, s.opener(c.publicKey), s.options.Now()})
	var refusal *wire.Refusal
	if errors.As(err, &refusal) && refusal.Status == http.StatusConflict {
		return wire.Proto(http.StatusConflict, g.state())
	}
	if err != nil {
		return nil, err
	}
	done.signed.GroupId = g.id[:]
	signed, err := s.sign(done)
	if err != nil {
		return nil, err
	}
	endorsements, err := s.endorsements(c, done.after)
	if err != nil {
		return nil, err
	}
	g.log = append(g.log, revision{done.after, signed})
	return wire.Proto(http.StatusOK, &servicepb.GroupChangeResponse{
		GroupChange: signed, GroupSendEndorsementsResponse: endorsements,
	})
}

// decodePassword is Commons Codec's Base64.decodeBase64, which passes over whatever is not of one of its alphabets.
func decodePassword(text string) []byte {
	letters := strings.Map(func(r rune) rune {
		switch {
		case r == '+':
			return '-'
		case r == '/':
			return '_'
		case strings.ContainsRune(base64Letters, r):
			return r
		}
		return -1
	}, text)
	decoded, _ := base64.RawURLEncoding.DecodeString(letters) // all that is left is good, but for a last letter alone
	return decoded
}

const base64Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func (s *Service) sign(done *applied) (*servicepb.GroupChange, error) {
	serialized, err := proto.Marshal(done.signed)
	if err != nil {
		return nil, err
	}
	signature, err := s.options.ZK.Sign(s.options.Rand, serialized)
	if err != nil {
		return nil, err
	}
	return &servicepb.GroupChange{Actions: serialized, ServerSignature: signature, ChangeEpoch: &done.epoch}, nil
}

// joinedAt is GroupsController.getJoinedAtVersion.
func (s *Service) joinedAt(c *caller) (*wire.Response, error) {
	g, err := s.find(c)
	if err != nil {
		return nil, err
	}
	m := c.memberOf(g.state())
	if m == nil {
		return nil, errClosed
	}
	return wire.Proto(http.StatusOK, &servicepb.Member{JoinedAtVersion: m.JoinedAtVersion})
}

// joinInfo is GroupsController.getGroupJoinInfo: what a link shows, and who asked already may see without it.
func (s *Service) joinInfo(c *caller) (*wire.Response, error) {
	g, err := s.find(c)
	if err != nil {
		return nil, err
	}
	state := g.state()
	linked := change{before: state, password: decodePassword(c.Values["password"])}
	required := state.GetAccessControl().GetAddFromInviteLink()
	asked := c.requesting(state) != nil
	if !asked && !linked.linkOpen(servicepb.AccessControl_ANY) && !linked.linkOpen(servicepb.AccessControl_ADMINISTRATOR) {
		return nil, errClosed
	}
	if c.bannedFrom(state) {
		return nil, &wire.Refusal{
			Status: http.StatusForbidden, Header: http.Header{"X-Signal-Forbidden-Reason": {"banned"}},
		}
	}
	return wire.Proto(http.StatusOK, &servicepb.GroupJoinInfo{
		PublicKey: state.GetPublicKey(), Title: state.GetTitle(), Description: state.GetDescription(),
		Avatar: state.AvatarUrl, MemberCount: proto.Uint32(uint32(len(state.GetMembers()))), AddFromInviteLink: &required,
		Version: state.Version, PendingAdminApproval: &asked, PendingAdminApprovalFull: proto.Bool(false),
	})
}

// avatarForm is GroupsController.getGroupAvatarForm. A group that is to be made has no rules yet.
func (s *Service) avatarForm(c *caller) (*wire.Response, error) {
	if g := s.groups[string(c.publicKey)]; g != nil && !(&change{before: g.state(), by: c.user}).mayDescribe() {
		return nil, errClosed
	}
	id, err := zkgroup.GroupIDOf(c.publicKey)
	if err != nil {
		return nil, errBad
	}
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	key := fmt.Sprintf("groups/%s/%s",
		base64.RawURLEncoding.EncodeToString(id[:]), base64.RawURLEncoding.EncodeToString(random))
	form, err := s.options.AvatarForm(key, maxAvatar)
	if err != nil {
		return nil, err
	}
	return wire.Proto(http.StatusOK, form)
}

// token is GroupsController.getToken, for calls, which nothing here has.
func (s *Service) token(c *caller) (*wire.Response, error) {
	g, err := s.find(c)
	if err != nil {
		return nil, err
	}
	if c.memberOf(g.state()) == nil {
		return nil, errClosed
	}
	text := hex.EncodeToString(g.id[:8]) + ":" + strconv.FormatInt(s.options.Now().Unix(), 10)
	return wire.Proto(http.StatusOK, &servicepb.ExternalGroupCredential{Token: &text})
}
