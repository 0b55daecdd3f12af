package content

import (
	"time"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// StoredContact is a person as the storage service has them.
type StoredContact struct {
	// Each of the three is empty where it is not known, but not all of them.
	ACI, PNI serviceid.ServiceID
	Number   string
	Username string
	// ProfileKey is 32 bytes or nil.
	ProfileKey []byte

	GivenName, FamilyName                   string
	SystemGivenName, SystemFamilyName       string
	SystemNickname                          string
	NicknameGiven, NicknameFamily, NoteText string

	Blocked, Hidden, Whitelisted, Archived bool
	// MutedUntil is zero where it is not muted.
	MutedUntil time.Time
	// UnregisteredAt is zero for an account that exists.
	UnregisteredAt time.Time
	// IdentityKey is 33 bytes or nil; IdentityState default, verified or unverified.
	IdentityKey          []byte
	IdentityState        string
	PNISignatureVerified bool
}

// Name is what to call the person: the nickname given here, the address book's name, or the profile's.
func (c *StoredContact) Name() string {
	for _, pair := range [][2]string{
		{c.NicknameGiven, c.NicknameFamily}, {c.SystemGivenName, c.SystemFamilyName}, {c.SystemNickname, ""},
		{c.GivenName, c.FamilyName},
	} {
		if name := joinName(pair[0], pair[1]); name != "" {
			return name
		}
	}
	return ""
}

func joinName(given, family string) string {
	if given == "" || family == "" {
		return given + family
	}
	return given + " " + family
}

// ParseStoredContact reads a contact record. Its error is *InvalidError for one that names nobody.
func ParseStoredContact(r *servicepb.ContactRecord) (StoredContact, error) {
	c := StoredContact{
		Number: cleanText(r.GetE164()), Username: cleanText(r.GetUsername()),
		ProfileKey:  sized(r.GetProfileKey(), profileKeySize),
		IdentityKey: sized(r.GetIdentityKey(), identityKeySize), IdentityState: identityStates[r.GetIdentityState()],
		GivenName: cleanText(r.GetGivenName()), FamilyName: cleanText(r.GetFamilyName()),
		SystemGivenName: cleanText(r.GetSystemGivenName()), SystemFamilyName: cleanText(r.GetSystemFamilyName()),
		SystemNickname: cleanText(r.GetSystemNickname()), NoteText: cleanText(r.GetNote()),
		NicknameGiven: cleanText(r.GetNickname().GetGiven()), NicknameFamily: cleanText(r.GetNickname().GetFamily()),
		Blocked: r.GetBlocked(), Hidden: r.GetHidden(), Whitelisted: r.GetWhitelisted(), Archived: r.GetArchived(),
		MutedUntil: milliseconds(r.GetMutedUntilTimestamp()), UnregisteredAt: milliseconds(r.GetUnregisteredAtTimestamp()),
		PNISignatureVerified: r.GetPniSignatureVerified(),
	}
	c.ACI, _ = parseACI(r.GetAci(), r.GetAciBinary())
	c.PNI, _ = parsePNI(r.GetPni(), r.GetPniBinary())
	if c.ACI.IsZero() && c.PNI.IsZero() && c.Number == "" {
		return StoredContact{}, invalid("contact record", "it names nobody")
	}
	return c, nil
}

// StoredAccount is this account as the storage service has it.
type StoredAccount struct {
	ProfileKey            []byte
	GivenName, FamilyName string
	AvatarPath            string
	Username              string
	Configuration         Configuration
	// Discoverable and SharesNumber say whether others may find the account by its number, and see it.
	Discoverable, SharesNumber bool
	// DefaultTimer is the timer of new conversations, in seconds.
	DefaultTimer uint32
}

// ParseStoredAccount reads an account record.
func ParseStoredAccount(r *servicepb.AccountRecord) StoredAccount {
	readReceipts, typing := r.GetReadReceipts(), r.GetTypingIndicators()
	sealed, previews := r.GetSealedSenderIndicators(), r.GetLinkPreviews()
	return StoredAccount{
		ProfileKey: sized(r.GetProfileKey(), profileKeySize),
		GivenName:  cleanText(r.GetGivenName()), FamilyName: cleanText(r.GetFamilyName()),
		AvatarPath: r.GetAvatarUrlPath(), Username: cleanText(r.GetUsername()),
		Configuration: Configuration{
			ReadReceipts: &readReceipts, TypingIndicators: &typing, SealedSenderIndicators: &sealed, LinkPreviews: &previews,
		},
		Discoverable: !r.GetUnlistedPhoneNumber(),
		SharesNumber: r.GetPhoneNumberSharingMode() == servicepb.AccountRecord_EVERYBODY,
		DefaultTimer: r.GetUniversalExpireTimer(),
	}
}

// StoredGroup is a group as the storage service has it.
type StoredGroup struct {
	MasterKey                      []byte
	Blocked, Whitelisted, Archived bool
	MutedUntil                     time.Time
}

// ParseStoredGroup reads a group record. Its error is *InvalidError for one without its key.
func ParseStoredGroup(r *servicepb.GroupV2Record) (StoredGroup, error) {
	if len(r.GetMasterKey()) != masterKeySize {
		return StoredGroup{}, invalid("group record", "a master key of %d bytes", len(r.GetMasterKey()))
	}
	return StoredGroup{
		MasterKey: r.GetMasterKey(), Blocked: r.GetBlocked(), Whitelisted: r.GetWhitelisted(), Archived: r.GetArchived(),
		MutedUntil: milliseconds(r.GetMutedUntilTimestamp()),
	}, nil
}

const identityKeySize = 33

var identityStates = map[servicepb.ContactRecord_IdentityState]string{
	servicepb.ContactRecord_DEFAULT:    "default",
	servicepb.ContactRecord_VERIFIED:   "verified",
	servicepb.ContactRecord_UNVERIFIED: "unverified",
}

func sized(b []byte, size int) []byte {
	if len(b) != size {
		return nil
	}
	return b
}

// milliseconds reads a time; one beyond all bounds, which some apps write for "for ever", is kept as the year 9999.
func milliseconds(ms uint64) time.Time {
	const year9999 = 253_370_764_800_000
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(min(ms, year9999))).UTC()
}
