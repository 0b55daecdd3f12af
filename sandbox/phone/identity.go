package phone

import (
	"fmt"

	"signalbox/sandbox/messenger"
)

// Identity is the ACI's as it is now.
func (p *Phone) Identity() Identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ACIKeys
}

// Renew registers the account anew with another identity key, as somebody does who has lost the phone and all that was
// on it. Linked devices are out. The phone's messenger has to become the identity that is returned.
func (p *Phone) Renew() (Identity, error) {
	identity, err := newIdentity(p.options.Rand, p.options.Now())
	if err != nil {
		return identity, fmt.Errorf("new identity: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	err = p.book.SetIdentity(p.ACI, identity.Keys.Public, identity.RegistrationID, linkKeys(&identity))
	if err != nil {
		return identity, fmt.Errorf("new identity: %w", err)
	}
	p.ACIKeys = identity
	return identity, nil
}

// Messenger is what reads and writes the phone's messages.
func (p *Phone) Messenger(world messenger.World) *messenger.Messenger {
	return messenger.New(messenger.Account{
		ACI: p.ACI, PNI: p.PNI, Number: p.Number, Identity: p.Identity(), PNIIdentity: p.PNIKeys,
		ProfileKey: p.ProfileKey,
	}, world)
}
