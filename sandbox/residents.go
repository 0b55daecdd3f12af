package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"signalbox/sandbox/contacts"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

// The account that is there for a client to link to. All numbers are of the range that is kept for fiction.
const (
	AccountNumber = "+12025550100"
	accountName   = "Sandbox"
)

// Role is a contact who lives in every populated sandbox.
type Role struct {
	Number, Name string
	// Does says what the contact does, for people.
	Does string

	behaviour contacts.Behaviour
}

// Roles are the contacts of a populated sandbox.
func Roles() []Role {
	return []Role{
		{"+12025550101", "Echo", "sends back what it gets", contacts.Echo},
		{"+12025550103", "Silent", "never answers", contacts.Silent},
	}
}

// Resident is an account whose phone the sandbox plays.
type Resident struct {
	Phone *phone.Phone
	Name  string
	// Does is empty for who does nothing by itself.
	Does string
}

// residents are the phones that the sandbox plays, in the order in which they came.
type residents struct {
	mu  sync.Mutex
	all []Resident
}

func (r *residents) add(one Resident) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// Residents are the accounts whose phones the sandbox plays.
func (s *Service) Residents() []Resident {
	s.residents.mu.Lock()
	defer s.residents.mu.Unlock()
	return slices.Clone(s.residents.all)
}

// Resident finds who has a number.
func (s *Service) Resident(number string) (Resident, bool) {
	all := s.Residents()
	at := slices.IndexFunc(all, func(r Resident) bool { return r.Phone.Number == number })
	if at < 0 {
		return Resident{}, false
	}
	return all[at], true
}

// NewPhone registers an account with a number, and a name for its profile.
func (s *Service) NewPhone(number, name string) (*phone.Phone, error) {
	account, err := s.newPhone(number, name)
	if err == nil {
		s.residents.add(Resident{Phone: account, Name: name})
	}
	return account, err
}

func (s *Service) newPhone(number, name string) (*phone.Phone, error) {
	return phone.New(s.Accounts, phone.Options{
		Number: number, Name: profilecipher.Name{Given: name}, Now: s.options.Now, Rand: s.options.Rand,
	})
}

// AddContact registers an account that answers by itself, until the service is closed.
func (s *Service) AddContact(number, name string, behaviour contacts.Behaviour) (*phone.Phone, error) {
	return s.cast(Role{Number: number, Name: name, behaviour: behaviour})
}

func (s *Service) cast(role Role) (*phone.Phone, error) {
	account, err := s.newPhone(role.Number, role.Name)
	if err != nil {
		return nil, err
	}
	root, err := curve.ParsePublicKey(s.authority.TrustRoot())
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	person := contacts.New(account, contacts.World{
		Book: s.Accounts, Messages: s.Messages, TrustRoot: root, Now: s.options.Now, Rand: s.options.Rand,
		Logger: s.options.Logger,
	}, role.behaviour)
	s.residents.add(Resident{Phone: account, Name: role.Name, Does: role.Does})
	s.people.Go(func() { person.Run(s.ctx) })
	return account, nil
}

// Populate registers the account and the contacts of Roles, who are among the account's contacts then.
func (s *Service) Populate() (*phone.Phone, error) {
	account, err := s.NewPhone(AccountNumber, accountName)
	if err != nil {
		return nil, err
	}
	records := []*servicepb.StorageRecord{account.AccountRecord()}
	for _, role := range Roles() {
		contact, err := s.cast(role)
		if err != nil {
			return nil, err
		}
		records = append(records, contact.Record())
	}
	return account, s.remember(account, records)
}

// writeTries is how often a write to the storage service is tried while the account's other devices write too.
const writeTries = 5

var errBusy = errors.New("sandbox: the account's devices write to the storage service all the time")

// remember adds records to what an account keeps in the storage service.
func (s *Service) remember(account *phone.Phone, records []*servicepb.StorageRecord) error {
	for range writeTries {
		operation, err := account.StorageWrite(s.Storage.Manifest(account.ACI.UUID), records)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		stands, err := s.Storage.Write(account.ACI.UUID, operation)
		if err != nil {
			return fmt.Errorf("sandbox: %w", err)
		}
		if stands == nil {
			return nil
		}
	}
	return errBusy
}
