package signalcore

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content/padding"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// errNoSessions means that prekeys must be fetched before anything can be encrypted.
var errNoSessions = errors.New("no session with the recipient")

// encrypter encrypts within one transaction, from our ACI.
type encrypter struct {
	tx      *store.Tx
	book    *sessionBook
	account *account
	rand    io.Reader
	now     time.Time
}

func newEncrypter(tx *store.Tx, a *account, rand io.Reader) *encrypter {
	return &encrypter{tx: tx, book: newSessionBook(tx), account: a, rand: rand, now: tx.Now()}
}

// parcel is what is to be encrypted for the devices of one recipient.
type parcel struct {
	to        serviceid.ServiceID
	plaintext []byte // padded
	// raw travels in place of the plaintext, unencrypted: a retry request.
	raw []byte
	// certificate is nil where the message is not to be sealed.
	certificate *sealedsender.SenderCertificate
	hint        sealedsender.ContentHint
	group       []byte // the id of the group that the message belongs to; only a sealed message shows it
}

func padded(content *servicepb.Content) ([]byte, error) {
	serialized, err := proto.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("encoding the message: %w", err)
	}
	return padding.Add(serialized), nil
}

// all encrypts for every device with which there is a session; errNoSessions where there is none.
func (e *encrypter) all(p parcel) ([]*storepb.Ciphertext, error) {
	if err := e.checkTrust(p.to); err != nil {
		return nil, err
	}
	devices, err := e.book.usable(serviceid.ACI, p.to, e.now)
	if err != nil {
		return nil, err
	}
	if p.to == e.account.aci {
		devices = without(devices, e.account.deviceID)
	}
	if len(devices) == 0 {
		return nil, errNoSessions
	}
	return e.devices(p, devices)
}

func without(devices []uint32, device uint32) []uint32 {
	kept := devices[:0]
	for _, d := range devices {
		if d != device {
			kept = append(kept, d)
		}
	}
	return kept
}

// devices encrypts for the given devices, with each of which there is a session.
func (e *encrypter) devices(p parcel, devices []uint32) ([]*storepb.Ciphertext, error) {
	out := make([]*storepb.Ciphertext, 0, len(devices))
	for _, device := range devices {
		ciphertext, err := e.one(p, device)
		if err != nil {
			return nil, err
		}
		out = append(out, ciphertext)
	}
	return out, e.book.flush()
}

func (e *encrypter) one(p parcel, device uint32) (*storepb.Ciphertext, error) {
	name := sessionName{serviceid.ACI, serviceid.Address{ServiceID: p.to, DeviceID: device}}
	record, err := e.book.get(name)
	if err != nil {
		return nil, err
	}
	if p.raw != nil {
		return e.rawFor(p, device, record)
	}
	ends := session.Ends{Local: e.account.address(e.account.aci), Remote: name.remote}
	sent, err := session.Encrypt(e.rand, record, ends, e.now, p.plaintext)
	if errors.Is(err, session.ErrNoSession) {
		return nil, errNoSessions
	}
	if err != nil {
		return nil, fmt.Errorf("encrypting for %s.%d: %w", p.to.Short(), device, err)
	}
	e.book.put(name, sent.Record)
	out := &storepb.Ciphertext{
		DeviceId: device, RegistrationId: sent.RemoteRegistrationID,
		Type: uint32(envelopeTypes[sent.Type]), Body: sent.Ciphertext,
	}
	return out, e.seal(p, out, sent.Type, sent.RemoteIdentity)
}

// rawFor addresses a message that is not encrypted.
func (e *encrypter) rawFor(p parcel, device uint32, record session.Record) (*storepb.Ciphertext, error) {
	registration, err := record.RemoteRegistrationID()
	if err != nil {
		return nil, errNoSessions
	}
	identity, err := record.RemoteIdentity()
	if err != nil {
		return nil, errNoSessions
	}
	out := &storepb.Ciphertext{
		DeviceId: device, RegistrationId: registration,
		Type: uint32(servicepb.Envelope_PLAINTEXT_CONTENT), Body: p.raw,
	}
	return out, e.seal(p, out, session.TypePlaintext, identity)
}

// seal adds the sealed form of a ciphertext, where the message is to be sealed.
func (e *encrypter) seal(p parcel, c *storepb.Ciphertext, kind session.Type, to curve.PublicKey) error {
	if p.certificate == nil {
		return nil
	}
	sealed, err := sealedsender.Encrypt(e.rand, e.account.aciIdentity.keys, to, sealedsender.Content{
		Type: sealedTypes[kind], Certificate: p.certificate, Message: c.Body, ContentHint: p.hint,
		GroupID: p.group,
	})
	if err != nil {
		return fmt.Errorf("sealing for %s.%d: %w", p.to.Short(), c.DeviceId, err)
	}
	c.SealedBody = sealed
	return nil
}

var envelopeTypes = map[session.Type]servicepb.Envelope_Type{
	session.TypeMessage: servicepb.Envelope_DOUBLE_RATCHET,
	session.TypePreKey:  servicepb.Envelope_PREKEY_MESSAGE,
}

var sealedTypes = map[session.Type]sealedsender.MessageType{
	session.TypeMessage:   sealedsender.Message,
	session.TypePreKey:    sealedsender.PreKeyMessage,
	session.TypePlaintext: sealedsender.PlaintextContent,
}

// checkTrust refuses a recipient whose key a person has marked as not trusted.
func (e *encrypter) checkTrust(to serviceid.ServiceID) error {
	identity, err := e.tx.RemoteIdentity(to)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil && identity.GetTrust() == storepb.Trust_TRUST_UNTRUSTED {
		return &model.UntrustedIdentityError{ServiceID: to}
	}
	return err
}

// open starts sessions from bundles, in place of the current ones. It reports whether the recipient has a new identity.
func (e *encrypter) open(to serviceid.ServiceID, bundles []prekey.Bundle) (bool, error) {
	changed := false
	for _, bundle := range bundles {
		if to == e.account.aci && bundle.DeviceID == e.account.deviceID {
			continue
		}
		name := sessionName{serviceid.ACI, serviceid.Address{ServiceID: to, DeviceID: bundle.DeviceID}}
		record, err := e.book.get(name)
		if errors.Is(err, session.ErrCorrupt) {
			record, err = session.Record{}, e.book.drop(name)
		}
		if err != nil {
			return changed, err
		}
		fresh, err := e.book.saveIdentity(to, bundle.Identity)
		if err != nil {
			return changed, err
		}
		changed = changed || fresh
		local := session.Local{
			Identity: e.account.aciIdentity.keys, RegistrationID: e.account.aciIdentity.registrationID,
		}
		ends := session.Ends{Local: e.account.address(e.account.aci), Remote: name.remote}
		record, err = session.Open(e.rand, record, local, ends, session.Opening{Bundle: bundle, Now: e.now})
		if err != nil {
			return changed, fmt.Errorf("opening a session with %s.%d: %w", to.Short(), bundle.DeviceID, err)
		}
		e.book.put(name, record)
	}
	return changed, e.book.flush()
}

// drop forgets devices that the recipient no longer has.
func (e *encrypter) drop(to serviceid.ServiceID, devices []uint32) error {
	for _, device := range devices {
		name := sessionName{serviceid.ACI, serviceid.Address{ServiceID: to, DeviceID: device}}
		if err := e.book.drop(name); err != nil {
			return err
		}
	}
	return nil
}

// bundlesOf turns the service's prekeys into bundles. A device whose keys cannot be read fails the lot: the message must
// reach all devices.
func bundlesOf(answer *service.PreKeyBundles) ([]prekey.Bundle, error) {
	identity, err := curve.ParsePublicKey(answer.IdentityKey)
	if err != nil {
		return nil, fmt.Errorf("%w: identity key: %w", service.ErrProtocol, err)
	}
	bundles := make([]prekey.Bundle, 0, len(answer.Devices))
	for _, device := range answer.Devices {
		bundle, err := bundleOf(identity, device)
		if err != nil {
			return nil, fmt.Errorf("%w: prekeys of device %d: %w", service.ErrProtocol, device.DeviceID, err)
		}
		bundles = append(bundles, bundle)
	}
	return bundles, nil
}

func bundleOf(identity curve.PublicKey, d service.DevicePreKeys) (prekey.Bundle, error) {
	bundle := prekey.Bundle{RegistrationID: d.RegistrationID, DeviceID: d.DeviceID, Identity: identity}
	signed, err := curve.ParsePublicKey(d.Signed.PublicKey)
	if err != nil {
		return bundle, err
	}
	bundle.Signed = prekey.PublicSigned{ID: d.Signed.ID, Key: signed, Signature: d.Signed.Signature}
	if d.Kyber == nil {
		return bundle, errors.New("no Kyber prekey")
	}
	kyber, err := kem.ParsePublicKey(d.Kyber.PublicKey)
	if err != nil {
		return bundle, err
	}
	bundle.Kyber = prekey.PublicKyber{ID: d.Kyber.ID, Key: kyber, Signature: d.Kyber.Signature}
	if d.PreKey == nil {
		return bundle, nil
	}
	oneTime, err := curve.ParsePublicKey(d.PreKey.PublicKey)
	if err != nil {
		return bundle, err
	}
	bundle.OneTime = &prekey.PublicEC{ID: d.PreKey.ID, Key: oneTime}
	return bundle, nil
}
