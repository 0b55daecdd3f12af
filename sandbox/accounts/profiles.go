package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"time"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
)

const (
	versionSize = 64 // of a profile's version, in hexadecimal
	// maxProfiles bounds the versions of a profile that are kept.
	maxProfiles = 16
	// credentialLife is ProfileHelper.EXPIRING_PROFILE_KEY_CREDENTIAL_EXPIRATION.
	credentialLife = 7 * 24 * time.Hour
)

// Profile is one version of an account's profile, encrypted with its profile key.
type Profile struct {
	Commitment         []byte
	Name               []byte
	About              []byte
	AboutEmoji         []byte
	PaymentAddress     []byte
	PhoneNumberSharing []byte
	Avatar             string
}

// AvatarForm is ProfileAvatarUploadAttributes: leave to upload to CDN 0.
type AvatarForm struct {
	Key        string `json:"key"`
	Credential string `json:"credential"`
	ACL        string `json:"acl"`
	Algorithm  string `json:"algorithm"`
	Date       string `json:"date"`
	Policy     string `json:"policy"`
	Signature  string `json:"signature"`
}

// profileRoutes are those of Signal-Server ProfileController.
func (b *Book) profileRoutes(rt *wire.Router) {
	rt.Handle(http.MethodPut, "/v1/profile", wire.DeviceOnly, b.setProfile)
	rt.Handle(http.MethodGet, "/v1/profile/{identifier}", wire.Either, b.baseProfile)
	rt.Handle(http.MethodGet, "/v1/profile/{identifier}/{version}", wire.Either, b.versionedProfile)
	rt.Handle(http.MethodGet, "/v1/profile/{identifier}/{version}/{request}", wire.Either, b.credentialProfile)
}

// createProfile is CreateProfileRequest.
type createProfile struct {
	Commitment         wire.Bytes `json:"commitment"`
	Version            string     `json:"version"`
	Name               wire.Bytes `json:"name"`
	AboutEmoji         wire.Bytes `json:"aboutEmoji"`
	About              wire.Bytes `json:"about"`
	PaymentAddress     wire.Bytes `json:"paymentAddress"`
	PhoneNumberSharing wire.Bytes `json:"phoneNumberSharing"`
	Avatar             bool       `json:"avatar"`
	SameAvatar         bool       `json:"sameAvatar"`
}

// valid checks the sizes that the entity allows; they hide how long the texts are.
func (c *createProfile) valid() bool {
	version, err := hex.DecodeString(c.Version)
	if err != nil || 2*len(version) != versionSize || c.Commitment == nil {
		return false
	}
	for _, field := range []struct {
		value []byte
		sizes []int
	}{
		{c.Name, []int{81, 285}}, {c.AboutEmoji, []int{0, 60}}, {c.About, []int{0, 156, 282, 540}},
		{c.PaymentAddress, []int{0, 582}}, {c.PhoneNumberSharing, []int{0, 29}},
	} {
		if !slices.Contains(field.sizes, len(field.value)) {
			return false
		}
	}
	return true
}

// setProfile is ProfileController.setProfile.
func (b *Book) setProfile(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request createProfile
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	if !zkgroup.ValidProfileKeyCommitment(request.Commitment) {
		return nil, wire.RefuseBare(http.StatusServiceUnavailable) // ProfileKeyCommitmentAdapter, IOExceptionMapper
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.accounts[r.By.Account]
	switch {
	case e == nil:
		return nil, wire.Refuse(http.StatusUnauthorized)
	case e.hasCapability(capProfilesV2):
		return nil, wire.RefuseBare(http.StatusPreconditionFailed)
	}
	former := e.profiles[request.Version].Avatar
	profile := Profile{
		Commitment: request.Commitment, Name: request.Name, About: request.About, AboutEmoji: request.AboutEmoji,
		PaymentAddress: request.PaymentAddress, PhoneNumberSharing: request.PhoneNumberSharing,
	}
	var form any
	switch {
	case request.Avatar && request.SameAvatar:
		profile.Avatar = former
	case request.Avatar:
		random := make([]byte, 16)
		_, _ = rand.Read(random)
		profile.Avatar = "profiles/" + base64.URLEncoding.EncodeToString(random)
		leave, err := b.options.AvatarForm(profile.Avatar)
		if err != nil {
			return nil, err
		}
		form = leave
	}
	if former != "" && former != profile.Avatar {
		b.options.AvatarGone(former)
	}
	e.setProfile(request.Version, profile)
	if form == nil {
		return wire.OK()
	}
	return wire.JSON(form)
}

// setProfile needs the book's mu.
func (e *entry) setProfile(version string, profile Profile) {
	for old := range e.profiles {
		if len(e.profiles) >= maxProfiles && old != version && old != e.current {
			delete(e.profiles, old)
		}
	}
	e.profiles[version], e.current = profile, version
}

// SetProfile replaces the profile of an account.
func (b *Book) SetProfile(aci serviceid.ServiceID, version string, profile Profile) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.accounts[aci.UUID]; e != nil {
		e.setProfile(version, profile)
	}
}

// baseAnswer is BaseProfileResponse.
type baseAnswer struct {
	Identity     wire.Unpadded   `json:"identityKey"`
	Access       wire.Bytes      `json:"unidentifiedAccess"`
	Unrestricted bool            `json:"unrestrictedUnidentifiedAccess"`
	Capabilities map[string]bool `json:"capabilities"`
	Badges       []any           `json:"badges"`
	UUID         string          `json:"uuid"`
}

// versionedAnswer is VersionedProfileResponse. What is not there is null.
type versionedAnswer struct {
	baseAnswer
	Name               wire.Bytes `json:"name"`
	About              wire.Bytes `json:"about"`
	AboutEmoji         wire.Bytes `json:"aboutEmoji"`
	Avatar             *string    `json:"avatar"`
	PaymentAddress     wire.Bytes `json:"paymentAddress"`
	PhoneNumberSharing wire.Bytes `json:"phoneNumberSharing"`
}

// credentialAnswer is ExpiringProfileKeyCredentialProfileResponse.
type credentialAnswer struct {
	versionedAnswer
	Credential wire.Bytes `json:"credential"`
}

// base is ProfileController.buildBaseProfileResponseForAccountIdentity and …ForPhoneNumberIdentity. It needs mu.
func (e *entry) base(id serviceid.ServiceID) baseAnswer {
	answer := baseAnswer{Capabilities: e.publicCapabilities(), Badges: []any{}, UUID: id.String()}
	if id.Kind == serviceid.PNI {
		answer.Identity = e.PNIIdentity.Serialize()
		return answer
	}
	answer.Identity, answer.Unrestricted = e.Identity.Serialize(), e.Unrestricted
	if len(e.AccessKey) == profilekey.AccessKeySize {
		verifier := profilekey.AccessKey(e.AccessKey).Verifier()
		answer.Access = verifier[:]
	}
	return answer
}

// baseProfile is ProfileController.getUnversionedProfile.
func (b *Book) baseProfile(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := serviceid.Parse(r.Values["identifier"])
	if err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	credentials, err := readCredentials(r)
	if err == nil {
		err = b.requester(r)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case credentials.token != nil && credentials.key != nil:
		return nil, wire.Refuse(http.StatusBadRequest)
	case credentials.token != nil:
		err = b.VerifyToken(credentials.token, id)
	default:
		err = b.MayAccess(r.By, credentials.key, id)
	}
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(id)
	if e == nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return wire.JSON(e.base(id))
}

// versionedProfile is ProfileController.getProfile. A version that is not the account's has the base alone.
func (b *Book) versionedProfile(_ context.Context, r *wire.Request) (*wire.Response, error) {
	answer, _, err := b.versioned(r)
	if err != nil {
		return nil, err
	}
	return wire.JSON(answer)
}

func (b *Book) versioned(r *wire.Request) (answer versionedAnswer, commitment []byte, err error) {
	id, err := serviceid.Parse(r.Values["identifier"])
	if err != nil || id.Kind != serviceid.ACI {
		return answer, nil, wire.Refuse(http.StatusNotFound)
	}
	credentials, err := readCredentials(r)
	if err == nil {
		err = b.requester(r)
	}
	if err == nil {
		err = b.MayAccess(r.By, credentials.key, id)
	}
	if err != nil {
		return answer, nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.find(id)
	if e == nil {
		return answer, nil, wire.Refuse(http.StatusNotFound)
	}
	answer.baseAnswer = e.base(id)
	version := r.Values["version"]
	profile, known := e.profiles[version]
	if !known {
		return answer, nil, nil
	}
	answer.Name, answer.About, answer.AboutEmoji = profile.Name, profile.About, profile.AboutEmoji
	answer.PhoneNumberSharing = profile.PhoneNumberSharing
	if profile.Avatar != "" {
		answer.Avatar = &profile.Avatar
	}
	if version != e.current {
		return answer, nil, nil
	}
	answer.PaymentAddress = profile.PaymentAddress
	return answer, profile.Commitment, nil
}

// credentialProfile is ProfileController.getProfile with a credential request: a version that is not the current one has
// no credential, a request that does not fit its commitment is 400.
func (b *Book) credentialProfile(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if r.Query.Get("credentialType") != "expiringProfileKey" {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	versioned, commitment, err := b.versioned(r)
	if err != nil {
		return nil, err
	}
	answer := credentialAnswer{versionedAnswer: versioned}
	if commitment == nil {
		return wire.JSON(answer)
	}
	request, err := hex.DecodeString(r.Values["request"])
	if err != nil {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	id, err := serviceid.Parse(r.Values["identifier"])
	if err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	expires := b.options.Now().UTC().Truncate(24 * time.Hour).Add(credentialLife)
	answer.Credential, err = b.options.Authority.ZK.IssueExpiringProfileKeyCredential(
		b.options.Rand, request, id, commitment, expires)
	if err != nil {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	return wire.JSON(answer)
}

// CommitmentOf is what a profile's Commitment holds.
func CommitmentOf(key profilekey.Key, aci serviceid.ServiceID) []byte {
	return zkgroup.ProfileKeyCommitment(key, aci)
}
