package accounts

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

// PrimaryID is the device that an account was registered with.
const PrimaryID uint32 = 1

const (
	// maxDevices counts the primary (Signal-Server DeviceController.MAX_DEVICES).
	maxDevices = 6
	// maxRegistrationID is Device.MAX_REGISTRATION_ID.
	maxRegistrationID = 0x3fff
	// maxDeviceName is of DeviceAttributes.
	maxDeviceName = 225
)

// ErrTaken is returned for an account whose identifier or number is in the book already.
var ErrTaken = errors.New("there is an account with this number or identifier already")

// Account is one account as others of the sandbox see it: a copy.
type Account struct {
	ACI          serviceid.ServiceID
	PNI          serviceid.ServiceID // zero where the account has no number
	Number       string
	Identity     curve.PublicKey
	PNIIdentity  curve.PublicKey
	AccessKey    []byte // 16 bytes, or nil
	Unrestricted bool   // anyone may send sealed
	Devices      []Device
}

// Device is one device of an account: a copy.
type Device struct {
	ID                uint32
	RegistrationID    uint32
	PNIRegistrationID uint32
	Name              []byte // encrypted
	LastSeen          time.Time
	Created           []byte // encrypted time
	Capabilities      map[string]bool
}

// Is reports whether id is one of the account's identifiers.
func (a *Account) Is(id serviceid.ServiceID) bool {
	return id == a.ACI || id == a.PNI && !a.PNI.IsZero()
}

// Device finds a device.
func (a *Account) Device(id uint32) (Device, bool) {
	at := slices.IndexFunc(a.Devices, func(d Device) bool { return d.ID == id })
	if at < 0 {
		return Device{}, false
	}
	return a.Devices[at], true
}

// Registration is the registration id that a device has for an identifier of the account.
func (d Device) Registration(kind serviceid.Kind) uint32 {
	if kind == serviceid.PNI {
		return d.PNIRegistrationID
	}
	return d.RegistrationID
}

// Options are what a book needs from outside.
type Options struct {
	Authority *Authority
	Now       func() time.Time
	Rand      io.Reader
	// AvatarForm gives leave to upload a profile's picture under a key of CDN 0.
	AvatarForm func(key string) (AvatarForm, error)
	// AvatarGone is told of a picture that another took the place of.
	AvatarGone func(key string)
	// Removed is told of each device that is gone, and of each number before it is another device's. It does not call back.
	Removed func(wire.Device)
}

// Book is the register. It is safe for concurrent use.
type Book struct {
	options Options

	mu       sync.Mutex
	accounts map[uuid.UUID]*entry
	byPNI    map[uuid.UUID]*entry
	byNumber map[string]*entry
	tokens   map[string]linkToken
	former   map[string]identifiers // of numbers whose account is gone

	provisioning provisioning
}

// entry is an account in the book.
type entry struct {
	Account
	devices  map[uint32]*deviceEntry
	profiles map[string]Profile // by version
	current  string             // version of the profile
}

type deviceEntry struct {
	Device
	salt     [16]byte
	password [sha256.Size]byte
	keys     map[serviceid.Kind]*deviceKeys
}

// NewBook returns an empty book.
func NewBook(options Options) *Book {
	return &Book{
		options: options, accounts: map[uuid.UUID]*entry{}, byPNI: map[uuid.UUID]*entry{},
		byNumber: map[string]*entry{}, tokens: map[string]linkToken{}, former: map[string]identifiers{},
		provisioning: provisioning{waiting: map[string]chan []byte{}},
	}
}

// Registration is a new account with its primary device.
type Registration struct {
	Account        // without Devices
	Device         Device
	Password       string
	Keys           LinkKeys
	PNIKeys        *LinkKeys
	Profile        *Profile
	ProfileVersion string
}

// Register makes an account, which on the live service takes the verification of a phone number.
func (b *Book) Register(r Registration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.accounts[r.ACI.UUID] != nil || r.Number != "" && b.byNumber[r.Number] != nil {
		return ErrTaken
	}
	e := &entry{Account: r.Account, devices: map[uint32]*deviceEntry{}, profiles: map[string]Profile{}}
	e.Account.Devices = nil
	r.Device.ID = PrimaryID
	if err := b.addDevice(e, newDevice{r.Device, r.Password, r.Keys, r.PNIKeys}); err != nil {
		return err
	}
	if r.Profile != nil {
		e.profiles[r.ProfileVersion], e.current = *r.Profile, r.ProfileVersion
	}
	b.accounts[r.ACI.UUID] = e
	if !r.PNI.IsZero() {
		b.byPNI[r.PNI.UUID] = e
	}
	if r.Number != "" {
		b.byNumber[r.Number] = e
		delete(b.former, r.Number)
	}
	return nil
}

type newDevice struct {
	device   Device
	password string
	keys     LinkKeys
	pniKeys  *LinkKeys
}

// addDevice needs mu.
func (b *Book) addDevice(e *entry, n newDevice) error {
	d := &deviceEntry{Device: n.device, keys: map[serviceid.Kind]*deviceKeys{}}
	if _, err := io.ReadFull(b.options.Rand, d.salt[:]); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	d.LastSeen = b.options.Now().UTC().Truncate(24 * time.Hour)
	d.password = hashPassword(d.salt, n.password)
	d.keys[serviceid.ACI] = &deviceKeys{signed: n.keys.Signed, lastResort: n.keys.LastResort}
	d.keys[serviceid.PNI] = &deviceKeys{}
	if n.pniKeys != nil {
		d.keys[serviceid.PNI] = &deviceKeys{signed: n.pniKeys.Signed, lastResort: n.pniKeys.LastResort}
	}
	e.devices[d.ID] = d
	return nil
}

func hashPassword(salt [16]byte, password string) [sha256.Size]byte {
	return sha256.Sum256(append(salt[:], password...))
}

// view is a copy of an account. It needs mu.
func (e *entry) view() *Account {
	a := e.Account
	for _, id := range slices.Sorted(maps.Keys(e.devices)) {
		a.Devices = append(a.Devices, e.devices[id].Device)
	}
	return &a
}

// find needs mu.
func (b *Book) find(id serviceid.ServiceID) *entry {
	if id.Kind == serviceid.PNI {
		return b.byPNI[id.UUID]
	}
	return b.accounts[id.UUID]
}

// Find returns the account with an identifier, nil where there is none.
func (b *Book) Find(id serviceid.ServiceID) *Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.find(id); e != nil {
		return e.view()
	}
	return nil
}

// FindNumber returns the account with a number, nil where there is none.
func (b *Book) FindNumber(number string) *Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e := b.byNumber[number]; e != nil {
		return e.view()
	}
	return nil
}

// Remove forgets an account and its devices: the service answers 404 for it from now on.
func (b *Book) Remove(aci serviceid.ServiceID) {
	b.mu.Lock()
	e := b.accounts[aci.UUID]
	if e != nil {
		delete(b.accounts, aci.UUID)
		delete(b.byPNI, e.PNI.UUID)
		delete(b.byNumber, e.Number)
		b.remember(e)
	}
	b.mu.Unlock()
	if e == nil {
		return
	}
	for id := range e.devices {
		b.options.Removed(wire.Device{Account: aci.UUID, ID: id})
	}
}

// SetIdentity replaces an account's identity key, as a new registration does. The prekeys signed by the former are gone:
// the primary has to upload new ones, and linked devices are out.
func (b *Book) SetIdentity(
	aci serviceid.ServiceID, identity curve.PublicKey, registrationID uint32, keys LinkKeys,
) error {
	b.mu.Lock()
	e := b.accounts[aci.UUID]
	if e == nil {
		b.mu.Unlock()
		return fmt.Errorf("sandbox: no account %s", aci.Short())
	}
	e.Identity = identity
	var removed []uint32
	for id, d := range e.devices {
		if id != PrimaryID {
			removed = append(removed, id)
			delete(e.devices, id)
			continue
		}
		d.RegistrationID = registrationID
		d.keys[serviceid.ACI] = &deviceKeys{signed: keys.Signed, lastResort: keys.LastResort}
	}
	b.mu.Unlock()
	for _, id := range removed {
		b.options.Removed(wire.Device{Account: aci.UUID, ID: id})
	}
	return nil
}

// Authenticate checks the credentials of a device: "aci.device" and its password; without a number, the primary's.
// It follows Signal-Server auth.AccountAuthenticator.
func (b *Book) Authenticate(username, password string) (wire.Device, bool) {
	identifier, number, numbered := strings.Cut(username, ".")
	aci, err := uuid.Parse(identifier)
	device := uint64(PrimaryID)
	if numbered && err == nil {
		device, err = strconv.ParseUint(number, 10, 7)
	}
	if err != nil {
		return wire.Device{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(wire.Device{Account: aci, ID: uint32(device)})
	if d == nil {
		return wire.Device{}, false
	}
	given := hashPassword(d.salt, password)
	if subtle.ConstantTimeCompare(given[:], d.password[:]) != 1 {
		return wire.Device{}, false
	}
	d.LastSeen = b.options.Now().UTC().Truncate(24 * time.Hour)
	return wire.Device{Account: aci, ID: uint32(device)}, true
}

// device needs mu.
func (b *Book) device(id wire.Device) *deviceEntry {
	e := b.accounts[id.Account]
	if e == nil {
		return nil
	}
	return e.devices[id.ID]
}
