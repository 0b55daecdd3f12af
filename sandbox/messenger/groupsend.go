package messenger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	mediaTypeMulti = "application/vnd.signal-messenger.mrm"
	headerToken    = "Group-Send-Token"
)

// ErrNotMember is returned for a group that the account is not in.
var ErrNotMember = errors.New("the account is not in the group")

// SendToGroup sends a content to all members of a group: encrypted once with a sender key and sealed for all, or, where
// the service does not take that, to each of them.
func (m *Messenger) SendToGroup(named *content.Group, o Outgoing) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	known, err := m.group(named)
	if err != nil {
		return err
	}
	if _, in := known.state.Member(m.self.ServiceID); !in {
		return ErrNotMember
	}
	id := known.params.GroupID()
	o.Group = id[:]
	members := m.members(known)
	if len(members) == 0 {
		return nil
	}
	err = m.sendTogether(known, members, o)
	var refused *StatusError
	if !errors.As(err, &refused) {
		return err
	}
	for _, account := range members {
		if oneErr := m.send(account.ACI, o); oneErr != nil && !errors.Is(oneErr, ErrGone) {
			return errors.Join(err, oneErr)
		}
	}
	return nil
}

// members are the accounts of a group's members, but this.
func (m *Messenger) members(known *knownGroup) []*accounts.Account {
	var out []*accounts.Account
	for _, id := range known.state.MemberIDs() {
		if account := m.world.Book.Find(id); account != nil && id != m.self.ServiceID {
			out = append(out, account)
		}
	}
	return out
}

// sendTogether encrypts a message once, having given the key to who lacks it.
func (m *Messenger) sendTogether(known *knownGroup, members []*accounts.Account, o Outgoing) error {
	serialized, err := proto.Marshal(o.Content)
	if err != nil {
		return fmt.Errorf("content: %w", err)
	}
	if known.key.due(members) {
		if err := known.key.renew(m.world.Rand); err != nil {
			return err
		}
	}
	for _, account := range members {
		if err := m.giveKey(known, account, o); err != nil {
			return err
		}
		if !o.Online {
			m.keep(account.ACI, o, serialized)
		}
	}
	message, record, err := senderkey.Encrypt(m.world.Rand, known.key.record, known.key.id, padding.Add(serialized))
	if err != nil {
		return err
	}
	known.key.record = record
	for range sendRounds {
		err = m.upload(known, members, o, message)
		var refused *StatusError
		if !errors.As(err, &refused) || refused.Status != http.StatusConflict && refused.Status != http.StatusGone {
			return err
		}
		members = m.members(known) // as they are registered now; who has another device asks for the message again
	}
	return err
}

// giveKey sends a member the sender key, unless all of their devices have it.
func (m *Messenger) giveKey(known *knownGroup, account *accounts.Account, o Outgoing) error {
	if !known.key.lacks(account) {
		return nil
	}
	distribution, err := known.key.distribution(m.world.Rand)
	if err != nil {
		return err
	}
	err = m.send(account.ACI, Outgoing{
		Timestamp: m.timestamp(), Hint: sealedsender.Implicit, Group: o.Group,
		Content: &servicepb.Content{SenderKeyDistributionMessage: distribution},
	})
	if err == nil {
		known.key.share(account)
	}
	return err
}

// upload seals a message for all devices of members and hands it to the service, with the endorsement of them all.
func (m *Messenger) upload(
	known *knownGroup, members []*accounts.Account, o Outgoing, message []byte,
) error {
	certificate, err := m.sealing()
	if err != nil {
		return err
	}
	payload, err := sealedsender.EncryptMulti(
		m.world.Rand, m.account.Identity.Keys, recipients(members), nil, sealedsender.Content{
			Type: sealedsender.SenderKeyMessage, Certificate: certificate, Message: message, ContentHint: o.Hint,
			GroupID: o.Group,
		})
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	token, err := known.token(members)
	if err != nil {
		return err
	}
	_, err = m.call(&wire.Request{
		Method: http.MethodPut, Path: "/v1/messages/multi_recipient", Body: payload,
		Query: url.Values{
			"ts": {strconv.FormatUint(o.Timestamp, 10)}, "online": {strconv.FormatBool(o.Online)},
			"urgent": {strconv.FormatBool(o.Hint != sealedsender.Implicit)},
		},
		Header: http.Header{
			"Content-Type": {mediaTypeMulti}, headerToken: {base64.StdEncoding.EncodeToString(token)},
		},
	})
	return err
}

func recipients(members []*accounts.Account) []sealedsender.Recipient {
	out := make([]sealedsender.Recipient, len(members))
	for i, account := range members {
		out[i] = sealedsender.Recipient{ServiceID: account.ACI, Identity: account.Identity}
		for _, device := range account.Devices {
			out[i].Devices = append(out[i].Devices, sealedsender.Device{
				ID: device.ID, RegistrationID: device.RegistrationID,
			})
		}
	}
	return out
}

// token is what the service wants to see for a message to these members.
func (k *knownGroup) token(members []*accounts.Account) ([]byte, error) {
	if k.endorsements == nil {
		return nil, &StatusError{Call: "endorsements", Status: http.StatusUnauthorized}
	}
	combined, err := k.combined(members)
	if err != nil {
		return nil, err
	}
	return combined.Token(k.params, k.endorsements.Expires)
}

func (k *knownGroup) combined(members []*accounts.Account) (zkgroup.GroupSendEndorsement, error) {
	var each []zkgroup.GroupSendEndorsement
	for _, account := range members {
		one, ok := k.endorsements.Members[account.ACI]
		if !ok {
			return zkgroup.GroupSendEndorsement{}, fmt.Errorf("%w: %s", ErrNotMember, account.ACI.Short())
		}
		each = append(each, one)
	}
	return zkgroup.CombineEndorsements(each...)
}
