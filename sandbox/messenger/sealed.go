package messenger

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
)

// certificateRest is how long a certificate has to be good for still.
const certificateRest = 24 * time.Hour

// person is what is known of somebody.
type person struct {
	profileKey profilekey.Key
	refused    bool // the service does not take the access key of this profile key
}

// Acquaint has the device know somebody's profile key.
func (m *Messenger) Acquaint(who serviceid.ServiceID, key profilekey.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acquaint(who, key)
}

func (m *Messenger) acquaint(who serviceid.ServiceID, key profilekey.Key) {
	known, ok := m.people[who]
	if ok && known.profileKey == key {
		return
	}
	if !ok {
		trim(m.people, maxPeople)
	}
	m.people[who] = person{profileKey: key}
}

// accessTo is what opens sealed sends to somebody; false where nothing does. The own account is no stranger.
func (m *Messenger) accessTo(who serviceid.ServiceID) (profilekey.AccessKey, bool) {
	known, ok := m.people[who]
	if !ok || known.refused || who == m.self.ServiceID {
		return profilekey.AccessKey{}, false
	}
	return known.profileKey.AccessKey(), true
}

// refuse notes that the service did not take the access key.
func (m *Messenger) refuse(who serviceid.ServiceID) {
	if known, ok := m.people[who]; ok {
		known.refused = true
		m.people[who] = known
	}
}

// sealing is the certificate to seal with, fetched where there is none that is good for a while.
func (m *Messenger) sealing() (*sealedsender.SenderCertificate, error) {
	if m.certificate != nil && m.certificate.Expires.Sub(m.world.Now()) > certificateRest {
		return m.certificate, nil
	}
	var answer struct {
		Certificate wire.Bytes `json:"certificate"`
	}
	call := m.own(http.MethodGet, "/v1/certificate/delivery", url.Values{"includeE164": {"true"}})
	if err := m.callJSON(call, nil, &answer); err != nil {
		return nil, fmt.Errorf("sender certificate: %w", err)
	}
	var err error
	m.certificate, err = sealedsender.ParseSenderCertificate(answer.Certificate)
	return m.certificate, err
}

var sealedTypes = map[session.Type]sealedsender.MessageType{
	session.TypeMessage:   sealedsender.Message,
	session.TypePreKey:    sealedsender.PreKeyMessage,
	session.TypePlaintext: sealedsender.PlaintextContent,
}

// sealedKinds are the kinds of messages that a sealed one can hold.
var sealedKinds = map[sealedsender.MessageType]session.Type{
	sealedsender.PreKeyMessage:    session.TypePreKey,
	sealedsender.Message:          session.TypeMessage,
	sealedsender.SenderKeyMessage: session.TypeSenderKey,
	sealedsender.PlaintextContent: session.TypePlaintext,
}

// seal puts the outer layer around a message.
func (m *Messenger) seal(p parcel, kind session.Type, to curve.PublicKey, message []byte) ([]byte, error) {
	certificate, err := m.sealing()
	if err != nil {
		return nil, err
	}
	sealed, err := sealedsender.Encrypt(m.world.Rand, m.account.Identity.Keys, to, sealedsender.Content{
		Type: sealedTypes[kind], Certificate: certificate, Message: message, ContentHint: p.hint, GroupID: p.group,
	})
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}
