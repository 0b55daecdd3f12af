package service

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// Errors of the group calls, told apart with errors.Is. A 401 is ErrUnauthorized: a presentation that the service does
// not take, for instance one of yesterday.
var (
	// ErrGroupConflict is 409 on a change: the group has another revision than the one before ours.
	ErrGroupConflict = errors.New("the group was changed by someone else meanwhile")
	// ErrGroupExists is 409 on a creation.
	ErrGroupExists = errors.New("a group with this master key exists already")
	// ErrGroupRejected is 400 on a change or a creation: an action that makes no sense, or no longer does, or would make
	// the group larger than it may be.
	ErrGroupRejected = errors.New("the service does not accept this change: it is malformed, or goes beyond what a group can hold")
	// ErrGroupForbidden is 403 on a change: the rules of the group do not let us do that.
	ErrGroupForbidden = errors.New("the rules of the group do not allow this change")
	// ErrNotInGroup is 403 on a question: we are not a member, or not since the revision that was asked for.
	ErrNotInGroup = errors.New("this account is not in the group")
	// ErrNoGroup is 404.
	ErrNoGroup = errors.New("the service knows no such group")
	// ErrGroupLink is 403 on an invite link: it was reset or switched off.
	ErrGroupLink = errors.New("this invite link is not valid, or no longer")
	// ErrGroupBanned is 403 with a reason: we were banned from the group.
	ErrGroupBanned = errors.New("this account is banned from the group")
)

// ChangeEpoch is the newest epoch of changes that servicepb knows (Groups.proto). Of changes beyond it the log carries
// the state after them.
const ChangeEpoch = 7

const (
	pathGroups            = "/v2/groups"
	headerForbiddenReason = "X-Signal-Forbidden-Reason"
	// maxGroupAnswer bounds answers about groups: a page of 64 changes, at worst with a state of 1,000 members beside each.
	maxGroupAnswer = 16 << 20
)

// GroupAuth is who asks about which group: the group's public parameters, and a presentation of the day's credential
// for it, which does not say who we are.
type GroupAuth struct {
	PublicParams []byte
	Presentation []byte
}

// Groups is the group server, at the storage service's host. What it returns is encrypted and not yet verified; neither
// is done here.
//
// Sources: signalapp/storage-service GroupsController, Signal-Desktop ts/textsecure/WebAPI.
type Groups struct {
	rest *REST
}

// Groups reaches the group server.
func (n *Network) Groups() *Groups {
	return &Groups{&REST{network: n, base: n.env.StorageURL, limit: maxGroupAnswer}}
}

// Group fetches the state (GET /v2/groups), with endorsements where we are a full member. Invited people may ask too.
func (g *Groups) Group(ctx context.Context, auth GroupAuth) (*servicepb.GroupResponse, error) {
	answer := &servicepb.GroupResponse{}
	if err := g.call(ctx, auth, http.MethodGet, "", nil, answer); err != nil {
		return nil, err
	}
	if answer.GetGroup() == nil {
		return nil, fmt.Errorf("%w: an answer without the group", ErrProtocol)
	}
	return answer, nil
}

// CreateGroup creates a group of revision 0 (PUT /v2/groups).
func (g *Groups) CreateGroup(
	ctx context.Context, auth GroupAuth, group *servicepb.Group,
) (*servicepb.GroupResponse, error) {
	answer := &servicepb.GroupResponse{}
	if err := g.call(ctx, auth, http.MethodPut, "", group, answer); err != nil {
		return nil, meaning(err, map[int]error{
			http.StatusBadRequest: ErrGroupRejected, http.StatusForbidden: ErrGroupForbidden, http.StatusConflict: ErrGroupExists,
		})
	}
	return answer, nil
}

// ModifyGroup applies a change to the revision before its own (PATCH /v2/groups). The password is that of the invite
// link, where the change is to join by it.
func (g *Groups) ModifyGroup(
	ctx context.Context, auth GroupAuth, actions *servicepb.GroupChange_Actions, inviteLinkPassword []byte,
) (*servicepb.GroupChangeResponse, error) {
	suffix := ""
	if len(inviteLinkPassword) > 0 {
		suffix = "?inviteLinkPassword=" + base64.RawURLEncoding.EncodeToString(inviteLinkPassword)
	}
	answer := &servicepb.GroupChangeResponse{}
	if err := g.call(ctx, auth, http.MethodPatch, suffix, actions, answer); err != nil {
		return nil, meaning(err, map[int]error{
			http.StatusBadRequest: ErrGroupRejected, http.StatusForbidden: ErrGroupForbidden, http.StatusConflict: ErrGroupConflict,
		})
	}
	if len(answer.GetGroupChange().GetActions()) == 0 {
		return nil, fmt.Errorf("%w: an answer without the signed change", ErrProtocol)
	}
	return answer, nil
}

// GroupJoinedAt is the revision at which we became a member; the log starts there (GET /v2/groups/joined_at_version).
func (g *Groups) GroupJoinedAt(ctx context.Context, auth GroupAuth) (uint32, error) {
	answer := &servicepb.Member{}
	err := g.call(ctx, auth, http.MethodGet, "/joined_at_version", nil, answer)
	return answer.GetJoinedAtVersion(), err
}

// GroupJoinInfo is what the holder of an invite link may see (GET /v2/groups/join/{password}). Without a password it is
// for who asked to be let in already. ErrGroupLink and ErrGroupBanned are its own errors.
func (g *Groups) GroupJoinInfo(ctx context.Context, auth GroupAuth, password []byte) (*servicepb.GroupJoinInfo, error) {
	suffix := "/join/" + base64.RawURLEncoding.EncodeToString(password)
	answer := &servicepb.GroupJoinInfo{}
	if err := g.call(ctx, auth, http.MethodGet, suffix, nil, answer); err != nil {
		return nil, meaning(err, map[int]error{http.StatusForbidden: ErrGroupLink})
	}
	return answer, nil
}

// GroupAvatarForm asks for leave to upload a picture (GET /v2/groups/avatar/form). Package cdn does it.
func (g *Groups) GroupAvatarForm(ctx context.Context, auth GroupAuth) (*servicepb.AvatarUploadAttributes, error) {
	answer := &servicepb.AvatarUploadAttributes{}
	if err := g.call(ctx, auth, http.MethodGet, "/avatar/form", nil, answer); err != nil {
		return nil, meaning(err, map[int]error{http.StatusForbidden: ErrGroupForbidden})
	}
	return answer, nil
}

// GroupToken is a credential for the group's calls (GET /v2/groups/token).
func (g *Groups) GroupToken(ctx context.Context, auth GroupAuth) (string, error) {
	answer := &servicepb.ExternalGroupCredential{}
	err := g.call(ctx, auth, http.MethodGet, "/token", nil, answer)
	return answer.GetToken(), err
}

func (g *Groups) call(
	ctx context.Context, auth GroupAuth, method, suffix string, body, answer proto.Message,
) error {
	request := &Request{Method: method, Path: pathGroups + suffix, Header: http.Header{}}
	if body != nil {
		data, err := proto.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode group request: %w", err)
		}
		request.Body = data
	}
	response, err := g.do(ctx, auth, request)
	if err != nil {
		return err
	}
	return decodeProto(response.Body, answer)
}

// do sends a request of a group. What a status means for most calls is decided here, and for the others by meaning.
func (g *Groups) do(ctx context.Context, auth GroupAuth, request *Request) (*Response, error) {
	request.Header.Set("Authorization", Credentials{
		Username: hex.EncodeToString(auth.PublicParams), Password: hex.EncodeToString(auth.Presentation),
	}.header())
	request.Header.Set("Content-Type", contentTypeProtobuf)
	response, err := g.rest.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	switch response.Status {
	case http.StatusBadRequest, http.StatusConflict:
		return nil, &groupStatusError{status: response.Status, err: otherStatus(response)}
	case http.StatusForbidden:
		if response.Header.Get(headerForbiddenReason) == "banned" {
			return nil, ErrGroupBanned
		}
		return nil, &groupStatusError{status: response.Status, err: ErrNotInGroup}
	case http.StatusNotFound:
		return nil, ErrNoGroup
	}
	return response, response.Err()
}

// groupStatusError is a status that means something else from call to call; err is what it means for a question.
type groupStatusError struct {
	status int
	err    error
}

func (e *groupStatusError) Error() string { return e.err.Error() }
func (e *groupStatusError) Unwrap() error { return e.err }

// meaning says what a status means for a call.
func meaning(err error, of map[int]error) error {
	var status *groupStatusError
	if errors.As(err, &status) && of[status.status] != nil {
		return of[status.status]
	}
	return err
}
