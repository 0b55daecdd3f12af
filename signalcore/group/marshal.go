package group

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/grouppb"
)

// Marshal writes the state for the store (signalpb/grouppb).
func (s State) Marshal() ([]byte, error) {
	out := &grouppb.State{
		MasterKey: s.MasterKey[:], Id: s.ID[:], Revision: s.Revision,
		Title: s.Title, Description: s.Description, AvatarPath: s.AvatarPath, TimerSeconds: s.TimerSeconds,
		AnnouncementsOnly: s.AnnouncementsOnly, LinkPassword: s.LinkPassword, Terminated: s.Terminated,
		Access: &grouppb.Access{
			Attributes: uint32(s.Access.Attributes), Members: uint32(s.Access.Members),
			AddFromInviteLink: uint32(s.Access.AddFromInviteLink), Labels: uint32(s.Access.Labels),
		},
	}
	for _, m := range s.Members {
		out.Members = append(out.Members, &grouppb.Member{
			Aci: m.ACI.Binary(), Role: uint32(m.Role), ProfileKey: m.ProfileKey[:], JoinedAt: m.JoinedAt,
			Label: m.Label, LabelEmoji: m.LabelEmoji,
		})
	}
	for _, p := range s.Pending {
		out.Pending = append(out.Pending, &grouppb.Pending{
			ServiceId: optionalID(p.ServiceID), Ciphertext: p.Ciphertext, Role: uint32(p.Role),
			AddedBy: optionalID(p.AddedBy), Timestamp: p.Timestamp,
		})
	}
	for _, r := range s.Requesting {
		out.Requesting = append(out.Requesting, &grouppb.Requesting{
			Aci: r.ACI.Binary(), ProfileKey: r.ProfileKey[:], Timestamp: r.Timestamp,
		})
	}
	for _, b := range s.Banned {
		out.Banned = append(out.Banned, &grouppb.Banned{
			ServiceId: optionalID(b.ServiceID), Ciphertext: b.Ciphertext, Timestamp: b.Timestamp,
		})
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("write the state of a group: %w", err)
	}
	return b, nil
}

// Unmarshal reads what Marshal wrote. What cannot be read is ErrMalformed: the record is corrupt.
func Unmarshal(b []byte) (State, error) {
	var in grouppb.State
	if err := proto.Unmarshal(b, &in); err != nil {
		return State{}, fmt.Errorf("%w: stored state: %w", ErrMalformed, err)
	}
	key, err := masterKey(in.GetMasterKey())
	if err != nil {
		return State{}, err
	}
	if len(in.GetId()) != len(zkgroup.GroupID{}) {
		return State{}, fmt.Errorf("%w: stored state: an id of %d bytes", ErrMalformed, len(in.GetId()))
	}
	access := in.GetAccess()
	s := State{
		MasterKey: key, ID: zkgroup.GroupID(in.GetId()), Revision: in.GetRevision(),
		Title: in.GetTitle(), Description: in.GetDescription(), AvatarPath: in.GetAvatarPath(),
		TimerSeconds: in.GetTimerSeconds(), AnnouncementsOnly: in.GetAnnouncementsOnly(),
		LinkPassword: in.GetLinkPassword(), Terminated: in.GetTerminated(),
		Access: Access{
			Attributes: Required(access.GetAttributes()), Members: Required(access.GetMembers()),
			AddFromInviteLink: Required(access.GetAddFromInviteLink()), Labels: Required(access.GetLabels()),
		},
	}
	return s, s.readLists(&in)
}

func (s *State) readLists(in *grouppb.State) error {
	for _, m := range in.GetMembers() {
		aci, key, err := storedPerson(m.GetAci(), m.GetProfileKey())
		if err != nil {
			return err
		}
		s.Members = append(s.Members, Member{
			ACI: aci, ProfileKey: key, Role: Role(m.GetRole()), JoinedAt: m.GetJoinedAt(),
			Label: m.GetLabel(), LabelEmoji: m.GetLabelEmoji(),
		})
	}
	for _, p := range in.GetPending() {
		id, err := readOptionalID(p.GetServiceId())
		if err != nil {
			return err
		}
		by, err := readOptionalID(p.GetAddedBy())
		if err != nil {
			return err
		}
		s.Pending = append(s.Pending, Pending{
			ServiceID: id, Ciphertext: p.GetCiphertext(), Role: Role(p.GetRole()), AddedBy: by, Timestamp: p.GetTimestamp(),
		})
	}
	for _, r := range in.GetRequesting() {
		aci, key, err := storedPerson(r.GetAci(), r.GetProfileKey())
		if err != nil {
			return err
		}
		s.Requesting = append(s.Requesting, Requesting{ACI: aci, ProfileKey: key, Timestamp: r.GetTimestamp()})
	}
	for _, b := range in.GetBanned() {
		id, err := readOptionalID(b.GetServiceId())
		if err != nil {
			return err
		}
		s.Banned = append(s.Banned, Banned{ServiceID: id, Ciphertext: b.GetCiphertext(), Timestamp: b.GetTimestamp()})
	}
	return nil
}

func masterKey(b []byte) (zkgroup.MasterKey, error) {
	if len(b) != len(zkgroup.MasterKey{}) {
		return zkgroup.MasterKey{}, fmt.Errorf("%w: a master key of %d bytes", ErrMalformed, len(b))
	}
	return zkgroup.MasterKey(b), nil
}

func storedPerson(id, key []byte) (serviceid.ServiceID, profilekey.Key, error) {
	aci, err := serviceid.ParseBinary(id)
	if err != nil {
		return serviceid.ServiceID{}, profilekey.Key{}, fmt.Errorf("%w: stored state: %w", ErrMalformed, err)
	}
	profileKey, err := profilekey.Parse(key)
	if err != nil {
		return serviceid.ServiceID{}, profilekey.Key{}, fmt.Errorf("%w: stored state: %w", ErrMalformed, err)
	}
	return aci, profileKey, nil
}

func optionalID(id serviceid.ServiceID) []byte {
	if id.IsZero() {
		return nil
	}
	return id.Binary()
}

func readOptionalID(b []byte) (serviceid.ServiceID, error) {
	if len(b) == 0 {
		return serviceid.ServiceID{}, nil
	}
	id, err := serviceid.ParseBinary(b)
	if err != nil {
		return serviceid.ServiceID{}, fmt.Errorf("%w: stored state: %w", ErrMalformed, err)
	}
	return id, nil
}
