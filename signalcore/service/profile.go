package service

import (
	"context"
	"net/http"

	"signalbox/signalcore/protocol/serviceid"
)

// Profile is what the service knows of an account. Name and the like are encrypted with the profile key, and absent
// when the version asked for is not the account's.
type Profile struct {
	IdentityKey              []byte
	UnidentifiedAccess       []byte // verifier of the access key
	UnrestrictedUnidentified bool
	Capabilities             map[string]bool
	Name                     []byte
	About                    []byte
	AboutEmoji               []byte
	PhoneNumberSharing       []byte
	Avatar                   string // path on CDN 0
}

// Profile fetches a profile (GET /v1/profile/{id}/{version}). An empty version asks for what needs no profile key.
func (a *Authenticated) Profile(ctx context.Context, id serviceid.ServiceID, version string) (*Profile, error) {
	return profile(ctx, a, id, version, Access{})
}

// Profile is the same for who has access to the account.
func (a *Anonymous) Profile(
	ctx context.Context, id serviceid.ServiceID, version string, access Access,
) (*Profile, error) {
	return profile(ctx, a, id, version, access)
}

func profile(
	ctx context.Context, via Requester, id serviceid.ServiceID, version string, access Access,
) (*Profile, error) {
	path := "/v1/profile/" + id.String()
	if version != "" {
		path += "/" + version
	}
	request := &Request{Method: http.MethodGet, Path: path, Header: http.Header{}}
	access.apply(request.Header)
	response, err := via.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	if err := response.Err(); err != nil {
		return nil, notFoundMeansUnregistered(err)
	}
	return parseProfile(response.Body)
}

func parseProfile(body []byte) (*Profile, error) {
	var answer struct {
		IdentityKey                    base64Bytes     `json:"identityKey"`
		UnidentifiedAccess             base64Bytes     `json:"unidentifiedAccess"`
		UnrestrictedUnidentifiedAccess bool            `json:"unrestrictedUnidentifiedAccess"`
		Capabilities                   map[string]bool `json:"capabilities"`
		Name                           base64Bytes     `json:"name"`
		About                          base64Bytes     `json:"about"`
		AboutEmoji                     base64Bytes     `json:"aboutEmoji"`
		PhoneNumberSharing             base64Bytes     `json:"phoneNumberSharing"`
		Avatar                         string          `json:"avatar"`
	}
	if err := decodeJSON(body, &answer); err != nil {
		return nil, err
	}
	return &Profile{
		IdentityKey: answer.IdentityKey, UnidentifiedAccess: answer.UnidentifiedAccess,
		UnrestrictedUnidentified: answer.UnrestrictedUnidentifiedAccess, Capabilities: answer.Capabilities,
		Name: answer.Name, About: answer.About, AboutEmoji: answer.AboutEmoji,
		PhoneNumberSharing: answer.PhoneNumberSharing, Avatar: answer.Avatar,
	}, nil
}
