package signalcore

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/content/devicenamecipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	defaultDeviceName = "signalbox"
	// maxRegistrationID: registration ids are 14 bits wide, and the apps leave out the last ones.
	maxRegistrationID = 16380
	passwordBytes     = 18
)

// errProvisioning is for a provisioning message that does not make an account.
var errProvisioning = errors.New("the primary device sent an incomplete account")

// provision is what a new link consists of: what the primary device sent, and what we chose.
type provision struct {
	message    *servicepb.ProvisionMessage
	aci, pni   serviceid.ServiceID
	number     string
	masterKey  []byte
	deviceName string
	password   string
	ids        [2]*linkIdentity // of the ACI and, unless the account has none, of the PNI
	now        time.Time
}

// linkIdentity is one of the account's identities with the keys that linking takes.
type linkIdentity struct {
	kind           serviceid.Kind
	keys           curve.KeyPair
	registrationID uint32
	signed         prekey.Signed
	lastResort     prekey.Kyber
}

// newProvision checks the message and generates everything else.
func newProvision(m *servicepb.ProvisionMessage, rand io.Reader, now time.Time) (*provision, error) {
	p := &provision{message: m, number: m.GetNumber(), now: now}
	if m.GetProvisioningCode() == "" {
		return nil, fmt.Errorf("%w: no linking code", errProvisioning)
	}
	if len(m.GetProfileKey()) != profileKeySize {
		return nil, fmt.Errorf("%w: no profile key", errProvisioning)
	}
	if err := p.readIDs(); err != nil {
		return nil, err
	}
	if err := p.readMasterKey(); err != nil {
		return nil, err
	}
	if err := p.readIdentities(rand); err != nil {
		return nil, err
	}
	secret := make([]byte, passwordBytes)
	if _, err := io.ReadFull(rand, secret); err != nil {
		return nil, err
	}
	p.password = base64.RawURLEncoding.EncodeToString(secret)
	return p, nil
}

const profileKeySize = 32

func (p *provision) readIDs() error {
	aci, ok := provisionedID(p.message.GetAciBinary(), p.message.GetAci())
	if !ok {
		return fmt.Errorf("%w: no ACI", errProvisioning)
	}
	p.aci = serviceid.NewACI(aci)
	if pni, ok := provisionedID(p.message.GetPniBinary(), p.message.GetPni()); ok {
		p.pni = serviceid.NewPNI(pni)
	}
	return nil
}

// provisionedID reads an id in its newer, binary form or its older, textual one; that of a PNI comes with and without
// its prefix.
func provisionedID(binary []byte, text string) (uuid.UUID, bool) {
	id, err := uuid.FromBytes(binary)
	if err != nil {
		id, err = uuid.Parse(strings.TrimPrefix(text, "PNI:"))
	}
	return id, err == nil && id != uuid.Nil
}

// readMasterKey derives the master key from the entropy pool; older primaries send it as it is. Without either, the
// account lacks what is kept in the storage service until the primary answers our request for keys.
func (p *provision) readMasterKey() error {
	if text := p.message.GetAccountEntropyPool(); text != "" {
		pool, err := accountkeys.ParseEntropyPool(text)
		if err != nil {
			return fmt.Errorf("%w: %w", errProvisioning, err)
		}
		key := pool.MasterKey()
		p.masterKey = bytes.Clone(key[:])
		return nil
	}
	if raw := p.message.GetMasterKey(); len(raw) > 0 {
		key, err := accountkeys.ParseMasterKey(raw)
		if err != nil {
			return fmt.Errorf("%w: %w", errProvisioning, err)
		}
		p.masterKey = bytes.Clone(key[:])
	}
	return nil
}

func (p *provision) readIdentities(rand io.Reader) (err error) {
	m := p.message
	p.ids[0], err = newLinkIdentity(serviceid.ACI, m.GetAciIdentityKeyPrivate(), m.GetAciIdentityKeyPublic(), rand)
	if err != nil {
		return err
	}
	if p.pni.IsZero() && len(m.GetPniIdentityKeyPrivate()) == 0 {
		return nil
	}
	p.ids[1], err = newLinkIdentity(serviceid.PNI, m.GetPniIdentityKeyPrivate(), m.GetPniIdentityKeyPublic(), rand)
	return err
}

func newLinkIdentity(kind serviceid.Kind, private, public []byte, rand io.Reader) (*linkIdentity, error) {
	key, err := curve.ParsePrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("%w: identity key: %w", errProvisioning, err)
	}
	id := &linkIdentity{kind: kind, keys: key.KeyPair()}
	if len(public) > 0 {
		// The stored private key must be the one behind the key that others know.
		known, err := curve.ParsePublicKey(public)
		if err != nil || known != id.keys.Public {
			return nil, fmt.Errorf("%w: the halves of an identity key do not match", errProvisioning)
		}
	}
	id.registrationID, err = newRegistrationID(rand)
	return id, err
}

// newRegistrationID takes a number from 1 to maxRegistrationID, each as likely.
func newRegistrationID(rand io.Reader) (uint32, error) {
	var b [2]byte
	for {
		if _, err := io.ReadFull(rand, b[:]); err != nil {
			return 0, err
		}
		if id := uint32(binary.BigEndian.Uint16(b[:]) & 0x3fff); id >= 1 && id <= maxRegistrationID {
			return id, nil
		}
	}
}

// generate makes the keys that linking takes. Their numbers follow on those of a former link.
func (id *linkIdentity) generate(rand io.Reader, state *storepb.PreKeyState, now time.Time) (err error) {
	id.signed, err = prekey.GenerateSigned(rand, id.keys.Private, firstKeyID(state.GetNextSignedId()), now)
	if err != nil {
		return err
	}
	id.lastResort, err = prekey.GenerateLastResort(rand, id.keys.Private, firstKeyID(state.GetNextKyberId()), now)
	return err
}

func firstKeyID(next uint32) uint32 {
	if next == 0 || next > store.MaxPreKeyID {
		return 1
	}
	return next
}

// generate makes the keys of both identities.
func (p *provision) generate(rand io.Reader, tx *store.Tx) error {
	for _, id := range p.identities() {
		state, err := tx.PreKeyState(id.kind)
		if err != nil {
			return err
		}
		if err := id.generate(rand, state, p.now); err != nil {
			return err
		}
	}
	return nil
}

func (p *provision) identities() []*linkIdentity {
	if p.ids[1] == nil {
		return p.ids[:1]
	}
	return p.ids[:]
}

// capabilities says what this device can do (Signal-Server storage/DeviceCapability). The service asks spqr of every new
// device, and usernameChangeSyncMessage where all others of the account have it: the storage service is read again then.
// optionalPhoneNumber is asked of the devices of accounts without a number; of others it would say that the account may
// lose its number, which no sync message tells us yet.
func capabilities(hasNumber bool) map[string]bool {
	out := map[string]bool{"spqr": true, "usernameChangeSyncMessage": true}
	if !hasNumber {
		out["optionalPhoneNumber"] = true
	}
	return out
}

// request is what the service wants to know of the new device.
func (p *provision) request(rand io.Reader) (service.LinkRequest, error) {
	name, err := devicenamecipher.Encrypt(rand, p.ids[0].keys.Public, p.deviceName)
	if err != nil {
		return service.LinkRequest{}, err
	}
	r := service.LinkRequest{
		ACI: p.aci, Number: p.number, Password: p.password, ProvisioningCode: p.message.GetProvisioningCode(),
		EncryptedName: name, RegistrationID: p.ids[0].registrationID, Capabilities: capabilities(p.ids[1] != nil),
		ACIKeys: p.ids[0].linkKeys(),
	}
	if pni := p.ids[1]; pni != nil {
		keys := pni.linkKeys()
		r.PNIRegistrationID, r.PNIKeys = pni.registrationID, &keys
	}
	return r, nil
}

func (id *linkIdentity) linkKeys() service.LinkKeys {
	return service.LinkKeys{Signed: *uploadSigned(id.signed), LastResort: *uploadKyber(id.lastResort)}
}

// deviceName is what the primary device will list.
func deviceName(name string) string {
	name = strings.TrimSpace(strings.ToValidUTF8(name, ""))
	if name == "" {
		return defaultDeviceName
	}
	if runes := []rune(name); len(runes) > model.MaxDeviceName {
		return string(runes[:model.MaxDeviceName])
	}
	return name
}
