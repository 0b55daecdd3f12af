package service

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/serviceid"
)

// ErrNoProfileCredential means that the service has no such profile: the profile key is not the account's any more.
var ErrNoProfileCredential = errors.New("the service has no profile for this profile key")

const (
	// maxCredentials bounds the days of group credentials; the service gives eight at most.
	maxCredentials = 32
	// maxProfileRequest bounds a credential request in a path.
	maxProfileRequest = 1 << 10
)

// GroupCredential is the answer from which the auth credential of one day is received (zkgroup AuthCredentialWithPniZkc).
type GroupCredential struct {
	RedemptionTime time.Time // midnight UTC
	Credential     []byte
}

// GroupAuthCredentials fetches the auth credentials of the days from one to the other, both included, at most seven
// days ahead (GET /v1/certificate/auth/group). They name the PNI, which is zero where the account has none.
func (a *Authenticated) GroupAuthCredentials(
	ctx context.Context, fromDay, toDay time.Time,
) ([]GroupCredential, serviceid.ServiceID, error) {
	path := fmt.Sprintf("/v1/certificate/auth/group?redemptionStartSeconds=%d&redemptionEndSeconds=%d&zkcCredential=true",
		fromDay.UTC().Truncate(24*time.Hour).Unix(), toDay.UTC().Truncate(24*time.Hour).Unix())
	response, err := a.Do(ctx, &Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, serviceid.ServiceID{}, err
	}
	if err := response.Err(); err != nil {
		return nil, serviceid.ServiceID{}, err
	}
	return parseGroupCredentials(response.Body)
}

func parseGroupCredentials(body []byte) ([]GroupCredential, serviceid.ServiceID, error) {
	var answer struct {
		Credentials []struct {
			Credential     base64Bytes `json:"credential"`
			RedemptionTime int64       `json:"redemptionTime"` // seconds
		} `json:"credentials"`
		PNI string `json:"pni"` // without its prefix
	}
	if err := decodeJSON(body, &answer); err != nil {
		return nil, serviceid.ServiceID{}, err
	}
	if len(answer.Credentials) == 0 || len(answer.Credentials) > maxCredentials {
		return nil, serviceid.ServiceID{}, fmt.Errorf("%w: %d group credentials", ErrProtocol, len(answer.Credentials))
	}
	credentials := make([]GroupCredential, len(answer.Credentials))
	for i, c := range answer.Credentials {
		credentials[i] = GroupCredential{RedemptionTime: time.Unix(c.RedemptionTime, 0).UTC(), Credential: c.Credential}
	}
	if answer.PNI == "" {
		return credentials, serviceid.ServiceID{}, nil
	}
	id, err := uuid.Parse(answer.PNI)
	if err != nil {
		return nil, serviceid.ServiceID{}, fmt.Errorf("%w: group credentials for no account", ErrProtocol)
	}
	return credentials, serviceid.NewPNI(id), nil
}

// ProfileKeyCredential asks for a credential that says which profile key an account has, without the service learning
// for which group (GET /v1/profile/{aci}/{version}/{request}?credentialType=expiringProfileKey). It returns the answer,
// from which zkgroup receives the credential.
func (a *Authenticated) ProfileKeyCredential(
	ctx context.Context, aci serviceid.ServiceID, version string, request []byte,
) ([]byte, error) {
	return profileKeyCredential(ctx, a, profileRequest{aci, version, request}, Access{})
}

// ProfileKeyCredential is the same for who has access to the account.
func (a *Anonymous) ProfileKeyCredential(
	ctx context.Context, aci serviceid.ServiceID, version string, request []byte, access Access,
) ([]byte, error) {
	return profileKeyCredential(ctx, a, profileRequest{aci, version, request}, access)
}

type profileRequest struct {
	aci     serviceid.ServiceID
	version string
	request []byte
}

func profileKeyCredential(ctx context.Context, via Requester, p profileRequest, access Access) ([]byte, error) {
	if len(p.request) > maxProfileRequest {
		return nil, fmt.Errorf("a credential request of %d bytes", len(p.request))
	}
	request := &Request{
		Method: http.MethodGet,
		Path: "/v1/profile/" + p.aci.String() + "/" + p.version + "/" + hex.EncodeToString(p.request) +
			"?credentialType=expiringProfileKey",
		Header: http.Header{},
	}
	access.apply(request.Header)
	var answer struct {
		Credential base64Bytes `json:"credential"`
	}
	if err := callJSON(ctx, via, request, &answer); err != nil {
		return nil, notFoundMeansUnregistered(err)
	}
	if len(answer.Credential) == 0 {
		return nil, ErrNoProfileCredential
	}
	return answer.Credential, nil
}
