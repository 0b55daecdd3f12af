package sandbox

import (
	"fmt"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/groups"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/storage"
	"signalbox/sandbox/wire"
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
	Phone phone.State
	Name  string
}

// snapshot is the state as it is. Each part is taken at a time of its own: what one has and another lacks, as after a
// crash of a real service, clients get over.
func (s *Service) snapshot() (*state, error) {
	out := &state{
		Authority: s.authority.Snapshot(), Accounts: s.Accounts.Snapshot(), CDN: s.CDN.Snapshot(),
		Everybody: s.residents.everybody(),
	}
	for _, r := range s.Residents() { // who came since, or whose account is gone, is left out
		if out.Accounts.Has(r.Phone.ACI) {
			out.Residents = append(out.Residents, residentState{r.Phone.Snapshot(), r.Name})
		}
	}
	var err error
	if out.CA, err = s.ca.Snapshot(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if out.Messages, err = s.Messages.Snapshot(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if out.Groups, err = s.Groups.Snapshot(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	if out.Storage, err = s.Storage.Snapshot(); err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return out, nil
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
			return s.moveIn(residentOf(person, kept.Name))
		}
	}
	return s.moveIn(Resident{Phone: p, Name: kept.Name, attendant: p.Attend(p.Messenger(s.world.World))})
}
