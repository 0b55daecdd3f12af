package signalcore

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// account is an immutable picture of the linked account. A change makes a new one, which accountHolder hands out.
type account struct {
	aci, pni    serviceid.ServiceID
	number      string
	deviceID    uint32
	password    string
	aciIdentity localIdentity
	pniIdentity localIdentity
	profileKey  []byte
	masterKey   []byte
	deviceName  string
	linkedAt    time.Time
	unlinked    bool
	unlinkedWhy string
}

// localIdentity is what one of the account's two identities signs and receives with.
type localIdentity struct {
	keys           curve.KeyPair
	registrationID uint32
}

func newAccount(record *storepb.Account) (*account, error) {
	aci, err := uuid.FromBytes(record.GetAci())
	if err != nil {
		return nil, fmt.Errorf("stored account: ACI: %w", err)
	}
	a := &account{
		aci:         serviceid.NewACI(aci),
		number:      record.GetNumber(),
		deviceID:    record.GetDeviceId(),
		password:    record.GetPassword(),
		profileKey:  record.GetProfileKey(),
		masterKey:   record.GetMasterKey(),
		deviceName:  record.GetDeviceName(),
		linkedAt:    time.UnixMilli(record.GetLinkedAt()),
		unlinked:    record.GetUnlinked(),
		unlinkedWhy: record.GetUnlinkedWhy(),
	}
	if pni, err := uuid.FromBytes(record.GetPni()); err == nil && pni != uuid.Nil {
		a.pni = serviceid.NewPNI(pni)
		if a.pniIdentity, err = newLocalIdentity(record.GetPniIdentity(), record.GetPniRegistrationId()); err != nil {
			return nil, fmt.Errorf("stored account: PNI identity: %w", err)
		}
	}
	if a.aciIdentity, err = newLocalIdentity(record.GetAciIdentity(), record.GetAciRegistrationId()); err != nil {
		return nil, fmt.Errorf("stored account: ACI identity: %w", err)
	}
	return a, nil
}

func newLocalIdentity(pair *storepb.KeyPair, registrationID uint32) (localIdentity, error) {
	private, err := curve.ParsePrivateKey(pair.GetPrivate())
	if err != nil {
		return localIdentity{}, err
	}
	public, err := curve.ParsePublicKey(pair.GetPublic())
	if err != nil {
		return localIdentity{}, err
	}
	return localIdentity{keys: curve.KeyPair{Private: private, Public: public}, registrationID: registrationID}, nil
}

// working reports whether the account can talk to the service.
func (a *account) working() bool { return a != nil && !a.unlinked }

// identity returns the keys behind one of our own service ids.
func (a *account) identity(id serviceid.ServiceID) (localIdentity, bool) {
	switch {
	case id == a.aci:
		return a.aciIdentity, true
	case id == a.pni && !a.pni.IsZero():
		return a.pniIdentity, true
	}
	return localIdentity{}, false
}

func (a *account) address(id serviceid.ServiceID) serviceid.Address {
	return serviceid.Address{ServiceID: id, DeviceID: a.deviceID}
}

// isSelf reports whether an id is one of ours.
func (a *account) isSelf(id serviceid.ServiceID) bool {
	return id == a.aci || (id == a.pni && !a.pni.IsZero())
}

func (a *account) model() model.Account {
	return model.Account{
		Number:     a.number,
		ACI:        a.aci,
		PNI:        a.pni,
		DeviceID:   a.deviceID,
		DeviceName: a.deviceName,
		LinkedAt:   a.linkedAt,
		Unlinked:   a.unlinked,
	}
}

// accountHolder hands the current picture to whoever needs it, and wakes those that wait for a change.
type accountHolder struct {
	current atomic.Pointer[account]
	changed chan struct{}
}

func newAccountHolder() *accountHolder {
	return &accountHolder{changed: make(chan struct{}, 1)}
}

func (h *accountHolder) get() *account { return h.current.Load() }

// working returns the account, or model.ErrNotLinked where there is none that the service accepts.
func (h *accountHolder) working() (*account, error) {
	a := h.get()
	if !a.working() {
		return nil, model.ErrNotLinked
	}
	return a, nil
}

// set replaces the picture. The connection loop is the one that listens on changed.
func (h *accountHolder) set(a *account) {
	h.current.Store(a)
	select {
	case h.changed <- struct{}{}:
	default:
	}
}
