package sandbox

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"signalbox/sandbox/phone"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

// Remember adds records to what an account has in the storage service.
func (s *Service) Remember(account *phone.Phone, records ...*servicepb.StorageRecord) error {
	return s.remember(account, records)
}

// Torn takes a state, and tells of parts of it that are of different moments.
func (s *Service) Torn() error {
	now, err := s.snapshot()
	if err != nil {
		return err
	}
	if len(now.Residents) != len(now.Accounts.Accounts) {
		return fmt.Errorf("%d phones of %d accounts", len(now.Residents), len(now.Accounts.Accounts))
	}
	identities := map[uuid.UUID][]byte{}
	for _, account := range now.Accounts.Accounts {
		identities[account.ACI] = account.Identity
	}
	for _, r := range now.Residents {
		private, err := curve.ParsePrivateKey(r.Phone.ACIKeys.Private)
		if err != nil {
			return err
		}
		if !bytes.Equal(private.KeyPair().Public.Serialize(), identities[r.Phone.ACI]) {
			return errors.New("a phone has another identity than its account")
		}
	}
	return nil
}
