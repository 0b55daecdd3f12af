package sandbox

import (
	"errors"
	"fmt"
	"slices"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/groups"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/storage"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// state is what of a sandbox is kept in a directory. What others uploaded to a CDN is beside it, in files. Sockets,
// uploads and links under way are not kept, nor are the sessions of contacts: both sides make new ones.
type state struct {
	Authority accounts.AuthorityState
	CA        wire.AuthorityState
	Accounts  accounts.State
	Messages  messages.State
	Groups    groups.State
	Storage   storage.State
	CDN       cdn.State
	Residents []residentState
	// Everybody is the master key of the contacts' group.
	Everybody []byte
}

type residentState struct {
	Phone  phone.State
	Name   string
	Memory contacts.Memory `json:",omitempty"`
}

// snapshot is the state as it is at one moment: all parts are held still while they are copied, one lock within another.
// Nothing else takes two of these locks but a phone that changes its identity, in the same order. What takes longer,
// to serialise what was copied, comes after.
func (s *Service) snapshot() (*state, error) {
	s.residents.moving.Lock() // an account is there with its phone or not at all
	defer s.residents.moving.Unlock()
	out := &state{Authority: s.authority.Snapshot(), CDN: s.CDN.Snapshot(), Everybody: s.residents.everybody()}
	var messages messages.Copy
	var groups groups.Copy
	var storage storage.Copy
	s.snapshotPhones(out, s.Residents(), func() {
		out.Accounts = s.Accounts.Snapshot(func() {
			messages = s.Messages.Snapshot(func() {
				groups = s.Groups.Snapshot(func() {
					storage = s.Storage.Snapshot(func() {})
				})
			})
		})
	})
	out.Residents = slices.DeleteFunc(out.Residents, func(r residentState) bool { // whose account is gone
		return !out.Accounts.Has(serviceid.NewACI(r.Phone.ACI))
	})
	var errs [4]error
	out.CA, errs[0] = s.ca.Snapshot()
	out.Messages, errs[1] = messages.State()
	out.Groups, errs[2] = groups.State()
	out.Storage, errs[3] = storage.State()
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return out, nil
}

// snapshotPhones copies phones, all of which are held still while during runs.
func (s *Service) snapshotPhones(out *state, residents []Resident, during func()) {
	if len(residents) == 0 {
		during()
		return
	}
	r := residents[0]
	kept := residentState{Name: r.Name}
	out.Residents = append(out.Residents, kept)
	at := len(out.Residents) - 1
	kept.Phone = r.Phone.Snapshot(func() { s.snapshotPhones(out, residents[1:], during) })
	if r.Person != nil {
		kept.Memory = r.Person.Memory()
	}
	out.Residents[at] = kept
}

// restoreAuthorities is what of a state is needed before there are parts.
func (s *Service) restoreAuthorities(from *state) (err error) {
	if s.authority, err = accounts.RestoreAuthority(from.Authority); err != nil {
		return err
	}
	s.ca, err = wire.RestoreAuthority(from.CA)
	return err
}

// restore fills the parts, which are new, and has the residents move in.
func (s *Service) restore(from *state) error {
	for _, step := range []func() error{
		func() error { return s.Accounts.Restore(from.Accounts) },
		func() error { return s.Messages.Restore(from.Messages) },
		func() error { return s.Groups.Restore(from.Groups) },
		func() error { return s.Storage.Restore(from.Storage) },
		func() error { return s.CDN.Restore(from.CDN) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	s.residents.gather(from.Everybody)
	for _, kept := range from.Residents {
		if err := s.returnHome(kept); err != nil {
			return err
		}
	}
	return nil
}

// returnHome has a resident move in again. Who behaves in which way, the roles say; others do nothing by themselves.
func (s *Service) returnHome(kept residentState) error {
	p, err := phone.Restore(s.Accounts, phone.Options{Now: s.options.Now, Rand: s.options.Rand}, kept.Phone)
	if err != nil {
		return err
	}
	account, populated := s.Resident(AccountNumber)
	for _, role := range Roles() {
		if populated && role.Number == p.Number {
			person := contacts.New(p, s.world, role.behaviour(account.Phone))
			person.Recall(kept.Memory)
			return s.moveIn(residentOf(person, kept.Name))
		}
	}
	return s.moveIn(Resident{Phone: p, Name: kept.Name, attendant: p.Attend(p.Messenger(s.world.World))})
}
