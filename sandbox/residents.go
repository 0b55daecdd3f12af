package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"signalbox/sandbox/contacts"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/signalpb/servicepb"
)

// The account that is there for a client to link to. All numbers are of the range that is kept for fiction.
const (
	AccountNumber = "+12025550100"
	accountName   = "Sandbox"
)

// everybody is the group that the account and all contacts are in.
const everybody = "Everybody"

// Role is a contact who lives in every populated sandbox.
type Role struct {
	Number, Name string

	behaviour func(account *phone.Phone) contacts.Behaviour
}

// Roles are the contacts of a populated sandbox.
func Roles() []Role {
	alike := func(behaviour func() contacts.Behaviour) func(*phone.Phone) contacts.Behaviour {
		return func(*phone.Phone) contacts.Behaviour { return behaviour() }
	}
	return []Role{
		{"+12025550101", "Echo", alike(contacts.Echo)},
		{"+12025550102", "Clock", func(account *phone.Phone) contacts.Behaviour {
			return contacts.Clock(contacts.DefaultClockEvery, account.ACI)
		}},
		{"+12025550103", "Silent", alike(contacts.Silent)},
		{"+12025550104", "Moody", alike(contacts.Moody)},
	}
}

// Resident is an account whose phone the sandbox plays.
type Resident struct {
	Phone *phone.Phone
	Name  string
	// Does is empty for who does nothing by itself.
	Does string
	// Person is nil for who does nothing by itself.
	Person *contacts.Person

	attendant *phone.Attendant
}

// residents are the phones that the sandbox plays, in the order in which they came.
type residents struct {
	moving sync.RWMutex // held for reading from an account's registration until its phone is among all

	mu    sync.Mutex
	all   []Resident
	group []byte // master key of the group of all contacts; nil where there is none
}

func (r *residents) gather(group []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.group = group
}

func (r *residents) everybody() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.group
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

// NewPhone registers an account with a number, and a name for its profile. Its phone is on until the service is closed.
func (s *Service) NewPhone(number, name string) (*phone.Phone, error) {
	s.residents.moving.RLock()
	defer s.residents.moving.RUnlock()
	account, err := s.newPhone(number, name)
	if err != nil {
		return nil, err
	}
	attendant := account.Attend(account.Messenger(s.world.World))
	return account, s.moveIn(Resident{Phone: account, Name: name, attendant: attendant})
}

func (s *Service) newPhone(number, name string) (*phone.Phone, error) {
	return phone.New(s.Accounts, phone.Options{
		Number: number, Name: profilecipher.Name{Given: name}, Now: s.options.Now, Rand: s.options.Rand,
	})
}

// AddContact registers an account that answers by itself, until the service is closed.
func (s *Service) AddContact(number, name string, behaviour contacts.Behaviour) (*contacts.Person, error) {
	s.residents.moving.RLock()
	defer s.residents.moving.RUnlock()
	account, err := s.newPhone(number, name)
	if err != nil {
		return nil, err
	}
	person := contacts.New(account, s.world, behaviour)
	return person, s.moveIn(residentOf(person, name))
}

func residentOf(person *contacts.Person, name string) Resident {
	return Resident{
		Phone: person.Phone, Name: name, Does: person.Does(), Person: person, attendant: person.Attendant(),
	}
}

// moveIn turns a resident's phone on, until the service is closed.
func (s *Service) moveIn(r Resident) error {
	if err := r.attendant.Start(); err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	s.residents.add(r)
	run := r.attendant.Run
	if r.Person != nil {
		run = r.Person.Run
	}
	s.people.Go(func() { run(s.ctx) })
	return nil
}

// Populate registers the account and the contacts of Roles, who are among the account's contacts then, and in a group
// with it. Who is there already stays.
func (s *Service) Populate() (*phone.Phone, error) {
	if r, found := s.Resident(AccountNumber); found {
		return r.Phone, nil
	}
	account, err := s.NewPhone(AccountNumber, accountName)
	if err != nil {
		return nil, err
	}
	records := []*servicepb.StorageRecord{account.AccountRecord()}
	var people []*contacts.Person
	members := []*phone.Phone{account}
	for _, role := range Roles() {
		person, err := s.AddContact(role.Number, role.Name, role.behaviour(account))
		if err != nil {
			return nil, err
		}
		records = append(records, person.Record())
		people, members = append(people, person), append(members, person.Phone)
	}
	group, err := contacts.NewGroup(people[0], everybody, members...)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.residents.gather(group.MasterKey)
	return account, s.remember(account, append(records, phone.GroupRecord(group)))
}

// Everybody is the id of the group that the account and all contacts are in, and its name; nil where there is none.
func (s *Service) Everybody() (id []byte, name string) {
	if master := s.residents.everybody(); master != nil {
		id = (&content.Group{MasterKey: master}).ID()
	}
	return id, everybody
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
			return s.tellDevices(account)
		}
	}
	return errBusy
}

// tellDevices has an account's linked devices read the storage service.
func (s *Service) tellDevices(account *phone.Phone) error {
	resident, ok := s.Resident(account.Number)
	if !ok {
		return nil
	}
	return resident.attendant.StorageChanged()
}
