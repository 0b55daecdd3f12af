package contacts

import (
	"signalbox/sandbox/accounts"
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/wire"
)

// Hear is how a message is taken.
func (p *Person) Hear(m messenger.Message) error { return p.hear(m) }

// Device is the person's phone.
func (p *Person) Device() wire.Device {
	return wire.Device{Account: p.ACI.UUID, ID: accounts.PrimaryID}
}
