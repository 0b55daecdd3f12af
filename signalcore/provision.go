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
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/devicenamecipher"
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
	// maxDeviceName is what Signal-Desktop allows (ts/types/InstallScreen.std.ts); the encrypted name has a bound too.
	maxDeviceName = 50
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
	if runes := []rune(name); len(runes) > maxDeviceName {
		return string(runes[:maxDeviceName])
	}
	return name
}

// save is the transaction that makes the account ours. Of a former link it keeps the inbox, the recipients and what is
// known of them, and forgets what belonged to the former device.
func (p *provision) save(linked *service.LinkedDevice) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		if linked.ACI != p.aci {
			return fmt.Errorf("%w: the service names another account", errProvisioning)
		}
		if p.pni.IsZero() {
			p.pni = linked.PNI
		}
		for _, step := range []func(*store.Tx) error{
			forgetFormerLink, p.saveAccount(linked.DeviceID), p.saveKeys, p.saveSelf, addFirstJobs,
		} {
			if err := step(tx); err != nil {
				return err
			}
		}
		return nil
	}
}

// forgetFormerLink drops what only the former device could use.
func forgetFormerLink(tx *store.Tx) error {
	for _, kind := range []serviceid.Kind{serviceid.ACI, serviceid.PNI} {
		lastResorts, err := tx.PreKeys(kind, store.KyberLastResort)
		if err != nil {
			return err
		}
		for _, key := range lastResorts {
			if _, err := tx.ForgetBaseKeys(kind, key.ID); err != nil {
				return err
			}
		}
		if _, err := tx.DeleteAllPreKeys(kind); err != nil {
			return err
		}
		if _, err := tx.DeleteAllSessions(kind); err != nil {
			return err
		}
	}
	return tx.PutSenderCertificates(&storepb.SenderCertificates{})
}

func (p *provision) saveAccount(device uint32) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		record := &storepb.Account{
			Aci: uuidBytes(p.aci.UUID), Number: p.number, DeviceId: device, Password: p.password,
			AciRegistrationId: p.ids[0].registrationID, AciIdentity: keyPairRecord(p.ids[0].keys),
			ProfileKey: p.message.GetProfileKey(), MasterKey: p.masterKey,
			AccountEntropyPool: p.message.GetAccountEntropyPool(), MediaRootBackupKey: p.message.GetMediaRootBackupKey(),
			EphemeralBackupKey: p.message.GetEphemeralBackupKey(), UserAgent: p.message.GetUserAgent(),
			DeviceName: p.deviceName, LinkedAt: p.now.UnixMilli(),
		}
		if pni := p.ids[1]; pni != nil && !p.pni.IsZero() {
			record.Pni, record.PniIdentity = uuidBytes(p.pni.UUID), keyPairRecord(pni.keys)
			record.PniRegistrationId = pni.registrationID
		}
		if err := tx.PutAccount(record); err != nil {
			return err
		}
		// The settings start anew: the storage service will be read from the beginning.
		settings := &storepb.AccountSettings{}
		if p.message.ReadReceipts != nil {
			settings.ReadReceipts = proto.Bool(p.message.GetReadReceipts())
		}
		return tx.PutAccountSettings(settings)
	}
}

func (p *provision) saveKeys(tx *store.Tx) error {
	for _, id := range p.identities() {
		state, err := tx.PreKeyState(id.kind)
		if err != nil {
			return err
		}
		now := p.now.UnixMilli()
		err = tx.PutPreKeyState(id.kind, &storepb.PreKeyState{
			NextEcId: state.NextEcId, NextSignedId: id.signed.ID + 1, NextKyberId: id.lastResort.ID + 1,
			ActiveSignedId: id.signed.ID, ActiveLastResortId: id.lastResort.ID,
			SignedRotatedAt: now, LastResortRotatedAt: now,
		})
		if err != nil {
			return err
		}
		if err := putSigned(tx, id.kind, id.signed); err != nil {
			return err
		}
		if err := putKyber(tx, id.kind, id.lastResort); err != nil {
			return err
		}
	}
	return nil
}

// saveSelf knows ourselves like any contact: our other devices have the same identity keys.
func (p *provision) saveSelf(tx *store.Tx) error {
	for i, own := range []serviceid.ServiceID{p.aci, p.pni} {
		if own.IsZero() || p.ids[i] == nil {
			continue
		}
		if _, err := tx.SaveIdentityKey(own, p.ids[i].keys.Public.Serialize()); err != nil {
			return err
		}
	}
	self, err := tx.Associate(store.Identifiers{ACI: p.aci, PNI: p.pni, Number: p.number})
	if err != nil {
		return err
	}
	self.ProfileKey, self.Whitelisted = p.message.GetProfileKey(), true
	self.AciDevices, self.AciDevicesAt, self.PniDevices, self.PniDevicesAt = nil, 0, nil, 0
	return tx.PutRecipient(self)
}

// addFirstJobs orders what a new device needs first.
func addFirstJobs(tx *store.Tx) error {
	jobs := []*storepb.Job{{Kind: storepb.JobKind_JOB_PREKEY_CHECK}}
	for _, what := range []content.RequestType{
		content.RequestKeys, content.RequestContacts, content.RequestBlocked, content.RequestConfiguration,
	} {
		payload, err := proto.Marshal(&storepb.SyncRequest{What: string(what)})
		if err != nil {
			return err
		}
		jobs = append(jobs, &storepb.Job{Kind: storepb.JobKind_JOB_SYNC_REQUEST, Payload: payload})
	}
	jobs = append(jobs, &storepb.Job{Kind: storepb.JobKind_JOB_STORAGE_SYNC})
	for _, job := range jobs {
		if err := tx.AddJob(job); err != nil {
			return err
		}
	}
	return nil
}
