package sandbox

import (
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/signalpb/servicepb"
)

// World is where tests let people of their own live.
func (s *Service) World() contacts.World { return s.world }

// Remember adds records to what an account has in the storage service.
func (s *Service) Remember(account *phone.Phone, records ...*servicepb.StorageRecord) error {
	return s.remember(account, records)
}
