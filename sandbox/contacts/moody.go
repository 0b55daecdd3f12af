package contacts

import (
	"strings"

	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
)

// What Moody says.
const (
	moodyHelp    = "Write change, and I register anew with another identity key, and answer with that."
	moodyChanged = "I am somebody else now: this message comes from my new identity key."
)

// Moody changes its identity key on request.
func Moody() Behaviour {
	return Behaviour{Name: "moody", Does: "changes its identity key when it is told: change", hear: hearMoody}
}

// hearMoody takes orders, and explains itself, in groups only to who asks for help.
func hearMoody(p *Person, m messenger.Message) error {
	if m.Kind != content.KindMessage || m.Message.TimerUpdate {
		return nil
	}
	order := strings.ToLower(strings.TrimSpace(m.Message.Text))
	switch {
	case order == "change":
		if err := p.changeIdentity(); err != nil {
			return err
		}
		return p.answer(m, moodyChanged)
	case m.Group == nil, order == "help":
		return p.answer(m, moodyHelp)
	}
	return nil
}

// changeIdentity registers the account anew.
func (p *Person) changeIdentity() error {
	identity, err := p.Renew()
	if err != nil {
		return err
	}
	return p.Become(identity)
}
