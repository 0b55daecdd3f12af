package messenger

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// maxGroups bounds the groups that are remembered; others are fetched when they are spoken in again.
	maxGroups = 200
	// endorsementRest is how long endorsements have to be good for still.
	endorsementRest = time.Hour
)

// groupBook are the groups that the device has heard of, and the credential of the day with which it asks about them.
type groupBook struct {
	known      map[zkgroup.GroupID]*knownGroup
	credential *zkgroup.AuthCredential
}

// knownGroup is a group as the service last showed it, and the sender key with which the device writes to it.
type knownGroup struct {
	params       *zkgroup.GroupSecretParams
	state        group.State
	endorsements *zkgroup.GroupSendEndorsements // nil where there are none
	key          ownKey
}

func newGroupBook() groupBook { return groupBook{known: map[zkgroup.GroupID]*knownGroup{}} }

// Candidate is who is to be a member.
type Candidate struct {
	ACI        serviceid.ServiceID
	ProfileKey profilekey.Key
}

// CreateGroup makes a group with the account as its admin, and returns what a message in it names.
func (m *Messenger) CreateGroup(title string, members []Candidate) (*content.Group, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	master, err := zkgroup.GenerateMasterKey(m.world.Rand)
	if err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	params := zkgroup.DeriveGroupSecretParams(master)
	wanted, err := m.creation(params, title, members)
	if err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	known, err := m.askGroup(params, http.MethodPut, wanted)
	if err != nil {
		return nil, fmt.Errorf("create a group: %w", err)
	}
	return &content.Group{MasterKey: master[:], Revision: known.state.Revision}, nil
}

func (m *Messenger) creation(
	params *zkgroup.GroupSecretParams, title string, members []Candidate,
) (*servicepb.Group, error) {
	password, err := group.NewPassword(m.world.Rand)
	if err != nil {
		return nil, err
	}
	wish := group.Creation{Title: title, Password: password}
	if wish.Self, err = m.presentation(params, Candidate{m.self.ServiceID, m.account.ProfileKey}); err != nil {
		return nil, err
	}
	if wish.Members, err = m.presented(params, members); err != nil {
		return nil, err
	}
	return group.Create(params, m.groupIdentity(), wish, m.world.Rand)
}

func (m *Messenger) groupIdentity() group.Identity {
	return group.Identity{ACI: m.self.ServiceID, PNI: m.account.PNI}
}

// presentation presents the credential of somebody's profile key for a group.
func (m *Messenger) presentation(params *zkgroup.GroupSecretParams, of Candidate) ([]byte, error) {
	request, err := m.world.ZK.RequestProfileKeyCredential(m.world.Rand, of.ACI, of.ProfileKey)
	if err != nil {
		return nil, err
	}
	path := "/v1/profile/" + of.ACI.String() + "/" + of.ProfileKey.Version(of.ACI) + "/" +
		hex.EncodeToString(request.Request())
	var answer struct {
		Credential wire.Bytes `json:"credential"`
	}
	call := m.own(http.MethodGet, path, url.Values{"credentialType": {"expiringProfileKey"}})
	if err := m.callJSON(call, nil, &answer); err != nil {
		return nil, fmt.Errorf("profile credential: %w", err)
	}
	credential, err := m.world.ZK.ReceiveProfileKeyCredential(request, answer.Credential, m.world.Now())
	if err != nil {
		return nil, fmt.Errorf("profile credential: %w", err)
	}
	return m.world.ZK.PresentProfileKeyCredential(m.world.Rand, params, credential)
}

// ChangeGroup makes the next revision of a group that the account is in, with some who join it, and returns the change
// as the service has signed it.
func (m *Messenger) ChangeGroup(
	named *content.Group, wish func(*group.Edit) error, joining ...Candidate,
) (*servicepb.GroupChange, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	signed, err := m.changeGroup(named, wish, joining)
	if err != nil {
		return nil, fmt.Errorf("change a group: %w", err)
	}
	return signed, nil
}

func (m *Messenger) changeGroup(
	named *content.Group, wish func(*group.Edit) error, joining []Candidate,
) (*servicepb.GroupChange, error) {
	known, err := m.group(named)
	if err != nil {
		return nil, err
	}
	edit, err := known.state.Edit(known.params, m.groupIdentity(), m.world.Rand)
	if err != nil {
		return nil, err
	}
	candidates, err := m.presented(known.params, joining)
	if err != nil {
		return nil, err
	}
	if err := edit.Add(candidates...); err != nil {
		return nil, err
	}
	if err := wish(edit); err != nil {
		return nil, err
	}
	actions, _ := edit.Actions()
	var answer servicepb.GroupChangeResponse
	if err := m.callGroup(known.params, http.MethodPatch, actions, &answer); err != nil {
		return nil, err
	}
	return answer.GetGroupChange(), nil
}

// presented are candidates with their presentations.
func (m *Messenger) presented(params *zkgroup.GroupSecretParams, all []Candidate) ([]group.Candidate, error) {
	out := make([]group.Candidate, len(all))
	for i, one := range all {
		presentation, err := m.presentation(params, one)
		if err != nil {
			return nil, err
		}
		out[i] = group.Candidate{ServiceID: one.ACI, Presentation: presentation, Role: group.RoleMember}
	}
	return out, nil
}

// Group is the group that a message names, at that revision or later.
func (m *Messenger) Group(named *content.Group) (group.State, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, err := m.group(named)
	if err != nil {
		return group.State{}, err
	}
	return known.state, nil
}

func (m *Messenger) group(named *content.Group) (*knownGroup, error) {
	master, err := zkgroup.ParseMasterKey(named.MasterKey)
	if err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	known := m.groups.known[master.GroupID()]
	if known != nil && known.state.Revision >= named.Revision && known.endorsed(m.world.Now()) {
		return known, nil
	}
	known, err = m.askGroup(zkgroup.DeriveGroupSecretParams(master), http.MethodGet, nil)
	if err != nil {
		return nil, fmt.Errorf("group: %w", err)
	}
	return known, nil
}

func (k *knownGroup) endorsed(now time.Time) bool {
	return k.endorsements != nil && k.endorsements.Expires.Sub(now) > endorsementRest
}

// askGroup makes a call that is answered with the group, and keeps it.
func (m *Messenger) askGroup(
	params *zkgroup.GroupSecretParams, method string, body proto.Message,
) (*knownGroup, error) {
	var answer servicepb.GroupResponse
	if err := m.callGroup(params, method, body, &answer); err != nil {
		return nil, err
	}
	return m.keepGroup(params, &answer)
}

func (m *Messenger) callGroup(params *zkgroup.GroupSecretParams, method string, body, into proto.Message) error {
	authorization, err := m.groupAuthorization(params)
	if err != nil {
		return err
	}
	call := &wire.Request{Method: method, Path: "/v2/groups", Header: http.Header{
		"Authorization": {authorization}, "Content-Type": {wire.MediaTypeProtobuf},
	}}
	if body != nil {
		if call.Body, err = proto.Marshal(body); err != nil {
			return err
		}
	}
	response, err := m.call(call)
	if err != nil {
		return err
	}
	return proto.Unmarshal(response.Body, into)
}

func (m *Messenger) keepGroup(
	params *zkgroup.GroupSecretParams, answer *servicepb.GroupResponse,
) (*knownGroup, error) {
	state, err := group.Decrypt(answer.GetGroup(), params)
	if err != nil {
		return nil, err
	}
	known := m.groups.known[params.GroupID()]
	if known == nil {
		trim(m.groups.known, maxGroups)
		known = &knownGroup{params: params}
		m.groups.known[params.GroupID()] = known
	}
	known.state, known.endorsements = state, nil
	if response := answer.GetGroupSendEndorsementsResponse(); len(response) > 0 {
		known.endorsements, err = m.world.ZK.ReceiveGroupSendEndorsements(
			response, state.MemberIDs(), m.self.ServiceID, params, m.world.Now())
	}
	for who, key := range state.ProfileKeys() {
		if who != m.self.ServiceID {
			m.acquaint(who, key)
		}
	}
	return known, err
}

// groupAuthorization proves, for one group, that the device may ask about it.
func (m *Messenger) groupAuthorization(params *zkgroup.GroupSecretParams) (string, error) {
	credential, err := m.today()
	if err != nil {
		return "", fmt.Errorf("group credential: %w", err)
	}
	presentation, err := m.world.ZK.PresentAuthCredential(m.world.Rand, params, credential)
	if err != nil {
		return "", fmt.Errorf("group credential: %w", err)
	}
	pair := hex.EncodeToString(params.PublicParams()) + ":" + hex.EncodeToString(presentation)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair)), nil
}

// today is the credential of the day.
func (m *Messenger) today() (*zkgroup.AuthCredential, error) {
	day := m.world.Now().UTC().Truncate(24 * time.Hour)
	if c := m.groups.credential; c != nil && c.Redemption().Equal(day) {
		return c, nil
	}
	seconds := strconv.FormatInt(day.Unix(), 10)
	var answer struct {
		Credentials []struct {
			Credential wire.Bytes `json:"credential"`
		} `json:"credentials"`
	}
	call := m.own(http.MethodGet, "/v1/certificate/auth/group",
		url.Values{"redemptionStartSeconds": {seconds}, "redemptionEndSeconds": {seconds}})
	if err := m.callJSON(call, nil, &answer); err != nil {
		return nil, err
	}
	if len(answer.Credentials) != 1 {
		return nil, errNoAnswer
	}
	var err error
	m.groups.credential, err = m.world.ZK.ReceiveAuthCredential(
		answer.Credentials[0].Credential, m.self.ServiceID, m.account.PNI, day)
	return m.groups.credential, err
}
