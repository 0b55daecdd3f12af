package sandbox

import (
	"signalbox/sandbox/phone"
	"signalbox/signalcore/signalpb/servicepb"
)

// Remember adds records to what an account has in the storage service.
func (s *Service) Remember(account *phone.Phone, records ...*servicepb.StorageRecord) error {
	return s.remember(account, records)
}
