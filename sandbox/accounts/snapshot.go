package accounts

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
)

// ErrState is returned for a state that a book cannot have been in.
var ErrState = errors.New("the accounts cannot be restored")

// AuthorityState is an Authority to be stored.
type AuthorityState struct {
	ZK                []byte
	TrustRoot         []byte
	ServerKey         []byte
	ServerCertificate []byte
}

// Snapshot is the authority as it is.
func (a *Authority) Snapshot() AuthorityState {
	return AuthorityState{
		ZK: a.ZK.Serialize(), TrustRoot: a.root.Private[:], ServerKey: a.serverKey[:],
		ServerCertificate: a.server.Serialize(),
	}
}

// RestoreAuthority is the authority of a snapshot.
func RestoreAuthority(s AuthorityState) (*Authority, error) {
	a := &Authority{}
	root, err := curve.ParsePrivateKey(s.TrustRoot)
	if err != nil {
		return nil, fmt.Errorf("trust root: %w", err)
	}
	a.root = root.KeyPair()
	if a.serverKey, err = curve.ParsePrivateKey(s.ServerKey); err != nil {
		return nil, fmt.Errorf("server key: %w", err)
	}
	if a.server, err = sealedsender.ParseServerCertificate(s.ServerCertificate); err != nil {
		return nil, fmt.Errorf("server certificate: %w", err)
	}
	if a.ZK, err = zkgroup.ParseServerSecretParams(s.ZK); err != nil {
		return nil, fmt.Errorf("zero-knowledge secrets: %w", err)
	}
	return a, nil
}

// State is a book to be stored: the accounts by ACI. Codes and sockets of devices that are just being linked are not in
// it.
type State struct {
	Accounts []AccountState
	Former   map[string]FormerState // by number
}

// FormerState are the identifiers of a number whose account is gone.
type FormerState struct{ ACI, PNI uuid.UUID }

// AccountState is an account in it.
type AccountState struct {
	ACI, PNI              uuid.UUID
	Number                string
	Identity, PNIIdentity []byte
	AccessKey             []byte
	Unrestricted          bool
	Devices               []DeviceState
	Profiles              map[string]Profile
	Profile               string // version that is current
}

// DeviceState is a device with its keys.
type DeviceState struct {
	Device
	Salt, Password []byte
	ACI, PNI       KeyState
}

// KeyState are the prekeys of one identity of a device.
type KeyState struct {
	OneTime    []PreKey
	Kyber      []SignedPreKey
	Signed     SignedPreKey
	LastResort SignedPreKey
}

// Snapshot is the book as it is, and stays while during runs.
func (b *Book) Snapshot(during func()) State {
	b.mu.Lock()
	defer b.mu.Unlock()
	during()
	out := State{Former: map[string]FormerState{}}
	for _, e := range b.accounts {
		out.Accounts = append(out.Accounts, e.snapshot())
	}
	for number, ids := range b.former {
		out.Former[number] = FormerState{ids.aci.UUID, ids.pni.UUID}
	}
	slices.SortFunc(out.Accounts, func(x, y AccountState) int { return slices.Compare(x.ACI[:], y.ACI[:]) })
	return out
}

func (e *entry) snapshot() AccountState {
	s := AccountState{
		ACI: e.ACI.UUID, PNI: e.PNI.UUID, Number: e.Number, Identity: e.Identity.Serialize(),
		PNIIdentity: e.PNIIdentity.Serialize(), AccessKey: e.AccessKey, Unrestricted: e.Unrestricted,
		Profiles: maps.Clone(e.profiles), Profile: e.current,
	}
	for _, id := range slices.Sorted(maps.Keys(e.devices)) {
		d := e.devices[id]
		s.Devices = append(s.Devices, DeviceState{
			Device: d.Device, Salt: d.salt[:], Password: d.password[:],
			ACI: d.keys[serviceid.ACI].snapshot(), PNI: d.keys[serviceid.PNI].snapshot(),
		})
	}
	return s
}

func (k *deviceKeys) snapshot() KeyState {
	return KeyState{slices.Clone(k.oneTime), slices.Clone(k.kyber), k.signed, k.lastResort}
}

// Has tells whether an account is in it.
func (s State) Has(aci serviceid.ServiceID) bool {
	return slices.ContainsFunc(s.Accounts, func(a AccountState) bool { return a.ACI == aci.UUID })
}

// Restore fills a new book.
func (b *Book) Restore(s State) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for number, ids := range s.Former {
		b.former[number] = identifiers{serviceid.NewACI(ids.ACI), serviceid.NewPNI(ids.PNI)}
	}
	for _, account := range s.Accounts {
		e, err := account.entry()
		if err != nil {
			return err
		}
		if b.accounts[account.ACI] != nil || b.byNumber[account.Number] != nil {
			return fmt.Errorf("%w: an account is there twice", ErrState)
		}
		b.accounts[account.ACI] = e
		if !e.PNI.IsZero() {
			b.byPNI[account.PNI] = e
		}
		if e.Number != "" {
			b.byNumber[e.Number] = e
		}
	}
	return nil
}

func (s *AccountState) entry() (*entry, error) {
	e := &entry{
		Account: Account{
			ACI: serviceid.NewACI(s.ACI), Number: s.Number, AccessKey: s.AccessKey, Unrestricted: s.Unrestricted,
		},
		devices: map[uint32]*deviceEntry{}, profiles: map[string]Profile{}, current: s.Profile,
	}
	if s.PNI != uuid.Nil {
		e.PNI = serviceid.NewPNI(s.PNI)
	}
	maps.Copy(e.profiles, s.Profiles)
	var err, pniErr error
	e.Identity, err = curve.ParsePublicKey(s.Identity)
	e.PNIIdentity, pniErr = curve.ParsePublicKey(s.PNIIdentity)
	if err = errors.Join(err, pniErr); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrState, err)
	}
	for _, d := range s.Devices {
		if len(d.Salt) != len(deviceEntry{}.salt) || len(d.Password) != sha256.Size || e.devices[d.ID] != nil {
			return nil, fmt.Errorf("%w: device %d", ErrState, d.ID)
		}
		e.devices[d.ID] = &deviceEntry{
			Device: d.Device, salt: [16]byte(d.Salt), password: [sha256.Size]byte(d.Password),
			keys: map[serviceid.Kind]*deviceKeys{serviceid.ACI: d.ACI.keys(), serviceid.PNI: d.PNI.keys()},
		}
	}
	if e.devices[PrimaryID] == nil {
		return nil, fmt.Errorf("%w: no primary device", ErrState)
	}
	return e, nil
}

func (k KeyState) keys() *deviceKeys { return &deviceKeys{k.OneTime, k.Kyber, k.Signed, k.LastResort} }
