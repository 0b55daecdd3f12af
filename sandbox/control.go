package sandbox

import (
	"bytes"
	"encoding/base64"
	"net/http"

	"signalbox/sandbox/control"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// controls are the calls below /sandbox: those of faults, and those of package control.
func (s *Service) controls() http.Handler {
	router := wire.NewRouter(s.options.Logger)
	router.After(s.handled)
	control.Routes(router, s, s.Accounts)
	mux := http.NewServeMux()
	mux.Handle("/", wire.Host(router, control.MaxBody))
	faults := s.Faults.Handler(s.server.CutOthers)
	mux.Handle("/faults", faults)
	mux.Handle("/cut", faults)
	return mux
}

// PlayedAccounts is for package control.
func (s *Service) PlayedAccounts() []control.Account {
	out := []control.Account{}
	for _, r := range s.Residents() {
		out = append(out, played(r))
	}
	return out
}

func played(r Resident) control.Account {
	return control.Account{Number: r.Phone.Number, ACI: r.Phone.ACI.String(), Name: r.Name, Does: r.Does}
}

// PlayAccount makes an account whose phone the sandbox plays. It and the residents are among each other's contacts.
// accounts.ErrTaken.
func (s *Service) PlayAccount(number, name string) (control.Account, error) {
	others := s.Residents()
	account, err := s.NewPhone(number, name)
	if err != nil {
		return control.Account{}, err
	}
	records := []*servicepb.StorageRecord{account.AccountRecord()}
	for _, other := range others {
		records = append(records, other.Phone.Record())
		if other.Person == nil {
			if err := s.remember(other.Phone, []*servicepb.StorageRecord{account.Record()}); err != nil {
				return control.Account{}, err
			}
		}
	}
	return played(Resident{Phone: account, Name: name}), s.remember(account, records)
}

// Scan has the phone of a number scan the linking code of a new device. control.ErrUnknown, phone.ErrCode.
func (s *Service) Scan(number, uri string) error {
	r, found := s.Resident(number)
	if !found {
		return control.ErrUnknown
	}
	return r.Phone.Scan(uri)
}

// Say has a contact write. control.ErrUnknown, control.ErrMute, control.ErrNobody.
func (s *Service) Say(number, to, text string) (uint64, error) {
	r, found := s.Resident(number)
	switch {
	case !found:
		return 0, control.ErrUnknown
	case r.Person == nil:
		return 0, control.ErrMute
	}
	if group := s.residents.everybody(); group != nil {
		known := &content.Group{MasterKey: group}
		if id, err := base64.StdEncoding.DecodeString(to); err == nil && bytes.Equal(id, known.ID()) {
			return r.Person.SayToGroup(known, text)
		}
	}
	account := s.Accounts.FindNumber(to)
	if id, err := serviceid.Parse(to); err == nil {
		account = s.Accounts.Find(id)
	}
	if account == nil {
		return 0, control.ErrNobody
	}
	return r.Person.Say(account.ACI, text)
}
