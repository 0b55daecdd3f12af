// Package phone is the primary device of an account of the sandbox, without the person and the screen: it makes the
// account with its keys, and scans the linking code of a new device.
//
// It reads and writes messages with package messenger, and serves the account's linked devices; what a person says is
// package contacts'.
//
// Sources: Signal-Android LinkDeviceRepository and Signal-Desktop ts/util/signalRoutes.std.ts (the code),
// mock-server src/api/primary-device.ts.
package phone

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/content/provisioningcipher"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// ErrCode is returned for a linking code that cannot be read, or that nobody waits behind any more.
var ErrCode = errors.New("this linking code is not, or not any more, good")

// maxRegistrationID leaves out the last ones, as the apps do.
const maxRegistrationID = 16380

// Options describe a new account.
type Options struct {
	Number string // E.164
	Name   profilecipher.Name
	Now    func() time.Time
	Rand   io.Reader
}

// Identity is one of an account's two identities on its phone.
type Identity = messenger.Identity

// Phone holds what a primary device knows of its account. It does not change after New, but for the ACI's identity
// where Renew is called, after which Identity tells it.
type Phone struct {
	Number     string
	ACI, PNI   serviceid.ServiceID
	ACIKeys    Identity
	PNIKeys    Identity
	ProfileKey profilekey.Key
	Pool       accountkeys.EntropyPool
	Password   string

	book    *accounts.Book
	options Options
	mu      sync.Mutex // of ACIKeys
}

// New registers an account.
func New(book *accounts.Book, options Options) (*Phone, error) {
	p := &Phone{
		Number: options.Number, ACI: serviceid.NewACI(uuid.New()), PNI: serviceid.NewPNI(uuid.New()),
		book: book, options: options,
	}
	if err := p.generate(); err != nil {
		return nil, fmt.Errorf("new account: %w", err)
	}
	profile, err := p.profile(options.Name)
	if err != nil {
		return nil, fmt.Errorf("new account: %w", err)
	}
	access := p.ProfileKey.AccessKey()
	pniKeys := linkKeys(&p.PNIKeys)
	err = book.Register(accounts.Registration{
		Account: accounts.Account{
			ACI: p.ACI, PNI: p.PNI, Number: p.Number, Identity: p.ACIKeys.Keys.Public, PNIIdentity: p.PNIKeys.Keys.Public,
			AccessKey: access[:],
		},
		Device: accounts.Device{
			RegistrationID: p.ACIKeys.RegistrationID, PNIRegistrationID: p.PNIKeys.RegistrationID,
			Capabilities: map[string]bool{"storage": true, "spqr": true, "usernameChangeSyncMessage": true},
		},
		Password: p.Password, Keys: linkKeys(&p.ACIKeys), PNIKeys: &pniKeys,
		Profile: profile, ProfileVersion: p.ProfileKey.Version(p.ACI),
	})
	if err != nil {
		return nil, fmt.Errorf("the account was not made: %w", err)
	}
	return p, nil
}

func (p *Phone) generate() (err error) {
	random := p.options.Rand
	for _, identity := range []*Identity{&p.ACIKeys, &p.PNIKeys} {
		if *identity, err = newIdentity(random, p.options.Now()); err != nil {
			return err
		}
	}
	if p.ProfileKey, err = profilekey.Generate(random); err != nil {
		return err
	}
	if p.Pool, err = accountkeys.GenerateEntropyPool(random); err != nil {
		return err
	}
	secret := make([]byte, 18)
	_, err = io.ReadFull(random, secret)
	p.Password = base64.RawURLEncoding.EncodeToString(secret)
	return err
}

func newIdentity(random io.Reader, now time.Time) (id Identity, err error) {
	if id.Keys, err = curve.GenerateKeyPair(random); err != nil {
		return id, err
	}
	id.RegistrationID = 1 + rand.Uint32N(maxRegistrationID)
	if id.Signed, err = prekey.GenerateSigned(random, id.Keys.Private, 1, now); err != nil {
		return id, err
	}
	id.LastResort, err = prekey.GenerateLastResort(random, id.Keys.Private, 1, now)
	return id, err
}

func linkKeys(id *Identity) accounts.LinkKeys {
	signed, last := id.Signed.Public(), id.LastResort.Public()
	return accounts.LinkKeys{
		Signed: accounts.SignedPreKey{
			ID: int64(signed.ID), PublicKey: signed.Key.Serialize(), Signature: signed.Signature,
		},
		LastResort: accounts.SignedPreKey{
			ID: int64(last.ID), PublicKey: last.Key.Serialize(), Signature: last.Signature,
		},
	}
}

func (p *Phone) profile(name profilecipher.Name) (*accounts.Profile, error) {
	encrypted, err := profilecipher.EncryptName(p.options.Rand, p.ProfileKey, name)
	if err != nil {
		return nil, err
	}
	sharing, err := profilecipher.EncryptFlag(p.options.Rand, p.ProfileKey, true)
	if err != nil {
		return nil, err
	}
	return &accounts.Profile{
		Commitment: accounts.CommitmentOf(p.ProfileKey, p.ACI), Name: encrypted, PhoneNumberSharing: sharing,
	}, nil
}

// Scan reads a linking code and sends the account to the device behind it, which then links itself. ErrCode.
func (p *Phone) Scan(uri string) error {
	address, key, err := parseCode(uri)
	if err != nil {
		return err
	}
	code, err := p.book.NewLinkingCode(p.ACI)
	if err != nil {
		return err
	}
	identity := p.Identity()
	envelope, err := provisioningcipher.Encrypt(p.options.Rand, key, p.message(code, &identity))
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	body, err := proto.Marshal(envelope)
	if err != nil {
		return fmt.Errorf("provision: %w", err)
	}
	if !p.book.Provision(address, body) {
		return fmt.Errorf("%w: no device waits", ErrCode)
	}
	return nil
}

func parseCode(uri string) (address string, key curve.PublicKey, err error) {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Scheme != "sgnl" || parsed.Host != "linkdevice" {
		return "", key, fmt.Errorf("%w: not of the form sgnl://linkdevice?…", ErrCode)
	}
	serialized, err := base64.StdEncoding.DecodeString(parsed.Query().Get("pub_key"))
	if err == nil {
		key, err = curve.ParsePublicKey(serialized)
	}
	if err != nil {
		return "", key, fmt.Errorf("%w: its key cannot be read", ErrCode)
	}
	return parsed.Query().Get("uuid"), key, nil
}

func (p *Phone) message(code string, identity *Identity) *servicepb.ProvisionMessage {
	return &servicepb.ProvisionMessage{
		AciIdentityKeyPublic: identity.Keys.Public.Serialize(), AciIdentityKeyPrivate: identity.Keys.Private[:],
		PniIdentityKeyPublic: p.PNIKeys.Keys.Public.Serialize(), PniIdentityKeyPrivate: p.PNIKeys.Keys.Private[:],
		Aci: proto.String(p.ACI.UUID.String()), AciBinary: p.ACI.UUID[:],
		Pni: proto.String(p.PNI.UUID.String()), PniBinary: p.PNI.UUID[:],
		Number: &p.Number, ProvisioningCode: &code, UserAgent: proto.String("OWA"), ProfileKey: p.ProfileKey[:],
		ReadReceipts: proto.Bool(true), ProvisioningVersion: proto.Uint32(uint32(servicepb.ProvisioningVersion_CURRENT)),
		AccountEntropyPool: proto.String(p.Pool.Reveal()),
	}
}
