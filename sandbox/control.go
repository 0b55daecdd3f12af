package sandbox

import (
	"net/http"

	"signalbox/sandbox/control"
	"signalbox/sandbox/wire"
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

// PlayAccount is for package control.
func (s *Service) PlayAccount(number, name string) (control.Account, error) {
	account, err := s.NewPhone(number, name)
	if err != nil {
		return control.Account{}, err
	}
	return played(Resident{Phone: account, Name: name}), nil
}

// Scan has the phone of a number scan the linking code of a new device. control.ErrUnknown, phone.ErrCode.
func (s *Service) Scan(number, uri string) error {
	r, found := s.Resident(number)
	if !found {
		return control.ErrUnknown
	}
	return r.Phone.Scan(uri)
}
