// Package group is a Signal group as its members see it: what the group server keeps, decrypted; the changes that turn
// one revision into the next; what differs between two; and the changes that this account asks for.
//
// Sources: signalapp/storage-service (the group server: groups/GroupChangeApplicator, GroupAuth, GroupValidator),
// Signal-Android lib/libsignal-service api/groupsv2 (GroupsV2Operations, DecryptedGroupUtil), Signal-Desktop
// ts/groups.ts. Everything here is values in, values out. The ciphers are in package zkgroup, requests in package
// service, the store's record of a group and who sees to it in signalcore.
package group

import (
	"slices"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
)

// State is a group at one revision. Its slices belong to it: who gets a State does not change them. The order of the
// lists is the service's.
type State struct {
	MasterKey zkgroup.MasterKey
	// ID follows from the master key.
	ID                zkgroup.GroupID
	Revision          uint32
	Title             string
	Description       string
	AvatarPath        string // a key on CDN 0, empty where there is no picture
	TimerSeconds      uint32
	AnnouncementsOnly bool
	Access            Access
	Members           []Member
	Pending           []Pending
	Requesting        []Requesting
	Banned            []Banned
	// LinkPassword is empty where there never was a link.
	LinkPassword []byte
	// Terminated says that nobody can do anything in the group any more.
	Terminated bool
}

// Member is a full member.
type Member struct {
	ACI        serviceid.ServiceID
	Role       Role
	ProfileKey profilekey.Key
	// JoinedAt is the revision since which the member may read the group's log.
	JoinedAt   uint32
	Label      string
	LabelEmoji string
}

// Pending was invited, by ACI or PNI. An invitation that does not decrypt (anyone with the right to invite can make one)
// has no ServiceID, and its Ciphertext.
type Pending struct {
	ServiceID  serviceid.ServiceID
	Ciphertext []byte
	Role       Role
	AddedBy    serviceid.ServiceID // zero where it cannot be read
	Timestamp  uint64              // milliseconds
}

// Requesting has asked to join, by the link.
type Requesting struct {
	ACI        serviceid.ServiceID
	ProfileKey profilekey.Key
	Timestamp  uint64 // milliseconds
}

// Banned may not join. One that does not decrypt has no ServiceID, and its Ciphertext.
type Banned struct {
	ServiceID  serviceid.ServiceID
	Ciphertext []byte
	Timestamp  uint64 // milliseconds
}

// Identity is this account: its two ids.
type Identity struct {
	ACI serviceid.ServiceID
	PNI serviceid.ServiceID // zero where it is not known
}

// Has tells whether an id is one of the account's.
func (i Identity) Has(id serviceid.ServiceID) bool {
	return !id.IsZero() && (id == i.ACI || id == i.PNI)
}

// Member finds a full member. The result points into the state.
func (s State) Member(id serviceid.ServiceID) (*Member, bool) {
	at := slices.IndexFunc(s.Members, func(m Member) bool { return m.ACI == id })
	if at < 0 || id.IsZero() {
		return nil, false
	}
	return &s.Members[at], true
}

// Invited finds an invitation.
func (s State) Invited(id serviceid.ServiceID) (*Pending, bool) {
	at := slices.IndexFunc(s.Pending, func(p Pending) bool { return p.ServiceID == id })
	if at < 0 || id.IsZero() {
		return nil, false
	}
	return &s.Pending[at], true
}

// Requested finds a request to join.
func (s State) Requested(id serviceid.ServiceID) (*Requesting, bool) {
	at := slices.IndexFunc(s.Requesting, func(r Requesting) bool { return r.ACI == id })
	if at < 0 || id.IsZero() {
		return nil, false
	}
	return &s.Requesting[at], true
}

// IsBanned tells whether someone may not join.
func (s State) IsBanned(id serviceid.ServiceID) bool {
	return !id.IsZero() && slices.ContainsFunc(s.Banned, func(b Banned) bool { return b.ServiceID == id })
}

// IsAdmin tells whether someone is a member and an admin.
func (s State) IsAdmin(id serviceid.ServiceID) bool {
	m, ok := s.Member(id)
	return ok && m.Role == RoleAdmin
}

// MemberIDs returns the full members, in the state's order.
func (s State) MemberIDs() []serviceid.ServiceID {
	ids := make([]serviceid.ServiceID, len(s.Members))
	for i, m := range s.Members {
		ids[i] = m.ACI
	}
	return ids
}

// ProfileKeys returns the profile keys that the members and those who ask to join have given the group.
func (s State) ProfileKeys() map[serviceid.ServiceID]profilekey.Key {
	keys := make(map[serviceid.ServiceID]profilekey.Key, len(s.Members)+len(s.Requesting))
	for _, r := range s.Requesting {
		keys[r.ACI] = r.ProfileKey
	}
	for _, m := range s.Members {
		keys[m.ACI] = m.ProfileKey
	}
	return keys
}

// clone copies the lists, so that the copy can be changed.
func (s State) clone() State {
	s.Members = slices.Clone(s.Members)
	s.Pending = slices.Clone(s.Pending)
	s.Requesting = slices.Clone(s.Requesting)
	s.Banned = slices.Clone(s.Banned)
	return s
}
