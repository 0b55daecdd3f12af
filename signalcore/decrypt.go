package signalcore

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// arrival is an envelope and what opening it has shown so far.
type arrival struct {
	envelope    *servicepb.Envelope
	mark        []byte // by which it is known when it comes again
	destination serviceid.ServiceID
	sender      serviceid.Address
	number      string // the sender's, where a certificate vouches for it
	sealed      bool
	hint        sealedsender.ContentHint
	group       []byte // the id of the group that the sealed content names; not authenticated by the message itself
	kind        session.Type
	ciphertext  []byte
	// plain is set for content that travelled unencrypted: only a retry request in it may be believed.
	plain bool
	// newIdentity is set when the sender's identity key was another one before.
	newIdentity bool
}

// faultError is a message's own fault: it ends as an entry of the inbox that says so, or, where silent, as nothing at
// all, and is acknowledged. Every other error means that the message must be tried again.
type faultError struct {
	err    error
	silent bool // nothing to tell anyone: a duplicate, an indicator
	retry  bool // ask the sender for it again
}

func (e *faultError) Error() string { return e.err.Error() }
func (e *faultError) Unwrap() error { return e.err }

func fault(format string, args ...any) error { return &faultError{err: fmt.Errorf(format, args...)} }

// groupIDSize is that of a group's id. Those of the first kind of groups were shorter.
const groupIDSize = 32

// opener decrypts envelopes within one transaction.
type opener struct {
	tx      *store.Tx
	book    *sessionBook
	account *account
	trust   *sealedsender.Trust
}

// open decrypts what an envelope holds, and returns the serialised content. Its effects on sessions, identities and
// prekeys are in the transaction. A *faultError has changed nothing.
func (o *opener) open(a *arrival) ([]byte, error) {
	switch a.envelope.GetType() {
	case servicepb.Envelope_UNIDENTIFIED_SENDER:
		if err := o.unseal(a); err != nil {
			return nil, err
		}
	case servicepb.Envelope_PREKEY_MESSAGE:
		a.kind, a.ciphertext = session.TypePreKey, a.envelope.GetContent()
	case servicepb.Envelope_DOUBLE_RATCHET:
		a.kind, a.ciphertext = session.TypeMessage, a.envelope.GetContent()
	case servicepb.Envelope_PLAINTEXT_CONTENT:
		a.kind, a.ciphertext = session.TypePlaintext, a.envelope.GetContent()
	default:
		return nil, fault("an envelope of type %d, which is unknown here", a.envelope.GetType())
	}
	switch {
	case a.sender.ServiceID.Kind != serviceid.ACI || a.sender.ServiceID.IsZero():
		return nil, fault("the envelope does not say who sent it")
	case a.sender.ServiceID == o.account.aci && a.sender.DeviceID == o.account.deviceID:
		return nil, &faultError{err: errors.New("sent by this device"), silent: true}
	}
	padded, err := o.decrypt(a)
	if err != nil {
		return nil, err
	}
	plaintext, err := padding.Strip(padded)
	if err != nil {
		return nil, fault("the padding of the message is broken: %w", err)
	}
	return plaintext, nil
}

// unseal takes the outer layer off, which says who sent the message and what is inside.
func (o *opener) unseal(a *arrival) error {
	if a.destination != o.account.aci {
		return fault("a sealed message to the phone-number identity")
	}
	inner, err := sealedsender.Decrypt(o.account.aciIdentity.keys, a.envelope.GetContent())
	if err != nil {
		return &faultError{err: err}
	}
	certificate := inner.Certificate
	at := time.UnixMilli(int64(a.envelope.GetServerTimestamp()))
	if err := o.trust.Validate(certificate, at); err != nil {
		return &faultError{err: err}
	}
	a.sealed, a.sender, a.number = true, certificate.Sender, certificate.E164
	a.hint, a.kind, a.ciphertext = inner.ContentHint, sealedKinds[inner.Type], inner.Message
	if len(inner.GroupID) == groupIDSize {
		a.group = inner.GroupID
	}
	return nil
}

// sealedKinds are the numbers that a sealed message has for what is within.
var sealedKinds = map[sealedsender.MessageType]session.Type{
	sealedsender.PreKeyMessage:    session.TypePreKey,
	sealedsender.Message:          session.TypeMessage,
	sealedsender.SenderKeyMessage: session.TypeSenderKey,
	sealedsender.PlaintextContent: session.TypePlaintext,
}

func (o *opener) decrypt(a *arrival) ([]byte, error) {
	switch a.kind {
	case session.TypePreKey:
		return o.decryptPreKey(a)
	case session.TypeMessage:
		return o.decryptMessage(a)
	case session.TypePlaintext:
		a.plain = true
		body, err := session.ParsePlaintext(a.ciphertext)
		if err != nil {
			return nil, &faultError{err: err}
		}
		return body, nil
	case session.TypeSenderKey:
		return o.decryptSenderKey(a)
	}
	return nil, fault("a message of type %d, which is unknown here", a.kind)
}

func (o *opener) decryptMessage(a *arrival) ([]byte, error) {
	message, err := session.ParseMessage(a.ciphertext)
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	name := sessionName{a.destination.Kind, a.sender}
	record, err := o.book.get(name)
	if err != nil {
		return nil, err
	}
	result, err := session.Decrypt(record, o.ends(a), message)
	if errors.Is(err, session.ErrCorrupt) {
		return nil, &damagedSessionError{name, err}
	}
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	return o.decrypted(a, name, result, false)
}

func (o *opener) decryptPreKey(a *arrival) ([]byte, error) {
	message, err := session.ParsePreKeyMessage(a.ciphertext)
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	name := sessionName{a.destination.Kind, a.sender}
	record, err := o.book.get(name)
	if err != nil {
		return nil, err
	}
	var keys session.PreKeys
	if !record.HasSessionOf(message) {
		if keys, err = o.preKeys(a.destination.Kind, message); err != nil {
			return nil, err
		}
	}
	identity, _ := o.account.identity(a.destination)
	local := session.Local{Identity: identity.keys, RegistrationID: identity.registrationID}
	result, err := session.DecryptPreKey(record, local, o.ends(a), message, keys)
	if errors.Is(err, session.ErrCorrupt) {
		return nil, &damagedSessionError{name, err}
	}
	if err != nil {
		return nil, o.unreadable(a, err)
	}
	if err := o.use(a.destination.Kind, result.Used); err != nil {
		return nil, err
	}
	if result.Used != nil && sameRegistration(record, result.Record) {
		o.book.renewed(a.sender)
	}
	return o.decrypted(a, name, result, result.Used != nil)
}

// sameRegistration reports whether the device was set up as it was before: one that was registered anew is another, and
// sending to a group takes it for that.
func sameRegistration(before, after session.Record) bool {
	old, err := before.RemoteRegistrationID()
	if err != nil {
		return false
	}
	registration, err := after.RemoteRegistrationID()
	return err == nil && registration == old
}

// decrypted saves what a successful decryption changes. Only a message that opens a session can bring a new identity:
// another may be a late one of a session with a former identity.
func (o *opener) decrypted(a *arrival, name sessionName, result session.Decrypted, opens bool) ([]byte, error) {
	o.book.put(name, result.Record)
	if !opens {
		return result.Plaintext, nil
	}
	changed, err := o.book.saveIdentity(a.sender.ServiceID, result.RemoteIdentity)
	if err != nil {
		return nil, err
	}
	a.newIdentity = changed
	return result.Plaintext, nil
}

// unreadable sorts the errors of decryption that are the message's own fault.
func (o *opener) unreadable(a *arrival, err error) error {
	switch {
	case errors.Is(err, session.ErrDuplicate), errors.Is(err, senderkey.ErrDuplicate):
		return &faultError{err: err, silent: true}
	}
	return &faultError{err: err, retry: true, silent: a.hint == sealedsender.Implicit}
}

func (o *opener) ends(a *arrival) session.Ends {
	return session.Ends{Local: o.account.address(a.destination), Remote: a.sender}
}

// preKeys reads those of our prekeys that a message names. What is missing stays nil.
func (o *opener) preKeys(local serviceid.Kind, m *session.PreKeyMessage) (session.PreKeys, error) {
	var keys session.PreKeys
	if m.OneTimeID != nil {
		stored, err := present(o.tx.PreKey(local, store.ECOneTime, *m.OneTimeID))
		if err != nil {
			return keys, err
		}
		if stored != nil {
			key, err := prekey.ParseEC(stored.Record)
			if err != nil {
				return keys, err
			}
			keys.OneTime = &key
		}
	}
	stored, err := present(o.tx.PreKey(local, store.ECSigned, m.SignedID))
	if err != nil {
		return keys, err
	}
	if stored != nil {
		key, err := prekey.ParseSigned(stored.Record)
		if err != nil {
			return keys, err
		}
		keys.Signed = &key
	}
	kyber, _, err := o.tx.KyberPreKey(local, m.KyberID)
	if stored, err = present(kyber, err); err != nil || stored == nil {
		return keys, err
	}
	key, err := prekey.ParseKyber(stored.Record)
	if err != nil {
		return keys, err
	}
	keys.Kyber = &key
	return keys, nil
}

// present turns "not found" into nil.
func present(key *storepb.PreKey, err error) (*storepb.PreKey, error) {
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return key, err
}

// use removes the one-time prekeys that opened a session, and notes the base key where the last resort did.
func (o *opener) use(local serviceid.Kind, used *session.Used) error {
	if used == nil {
		return nil
	}
	if used.LastResort {
		err := o.tx.UseLastResort(local, used.KyberID, used.SignedID, used.BaseKey.Serialize())
		if errors.Is(err, store.ErrBaseKeyReused) {
			return &faultError{err: err, silent: true}
		}
		if err != nil {
			return err
		}
	} else if err := o.tx.DeletePreKey(local, store.KyberOneTime, used.KyberID); err != nil {
		return err
	}
	if used.OneTimeID != nil {
		return o.tx.DeletePreKey(local, store.ECOneTime, *used.OneTimeID)
	}
	return nil
}

// readEnvelope parses an envelope and finds out whom it is from and for, as far as the outside says.
func readEnvelope(raw []byte, a *account) (*arrival, error) {
	out := &arrival{envelope: new(servicepb.Envelope)}
	if err := proto.Unmarshal(raw, out.envelope); err != nil {
		out.envelope = new(servicepb.Envelope)
		hash := sha256.Sum256(raw)
		out.mark = hash[:]
		return out, fault("the envelope cannot be read")
	}
	out.mark = content.EnvelopeKey(out.envelope)
	source, _ := content.EnvelopeSource(out.envelope)
	out.sender = serviceid.Address{ServiceID: source, DeviceID: out.envelope.GetSourceDeviceId()}
	destination, named := content.EnvelopeDestination(out.envelope)
	if !named {
		destination = a.aci
	}
	out.destination = destination
	if !a.isSelf(destination) {
		return out, fault("the envelope is for another account")
	}
	return out, nil
}
