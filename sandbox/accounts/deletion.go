package accounts

import (
	"context"

	"github.com/google/uuid"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// maxFormer bounds the numbers that are remembered.
const maxFormer = 10_000

// identifiers are what a number gets back when it is registered again (Signal-Server AccountsManager.create, of accounts
// that were deleted not long ago).
type identifiers struct{ aci, pni serviceid.ServiceID }

// identify picks the identifiers of a number's new account.
func (b *Book) identify(number string) (aci, pni serviceid.ServiceID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if former, known := b.former[number]; known {
		return former.aci, former.pni
	}
	return serviceid.NewACI(uuid.New()), serviceid.NewPNI(uuid.New())
}

// remember keeps an account's identifiers for its number. It needs mu.
func (b *Book) remember(e *entry) {
	if e.Number != "" && len(b.former) < maxFormer {
		b.former[e.Number] = identifiers{e.ACI, e.PNI}
	}
}

// deleteAccount is AccountController.deleteAccount.
func (b *Book) deleteAccount(_ context.Context, r *wire.Request) (*wire.Response, error) {
	b.Remove(serviceid.NewACI(r.By.Account))
	return wire.NoContent()
}
