package accounts

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// A number whose account was deleted gets its identifiers back, and nobody else does.
func TestIdentifiersOutliveTheAccount(t *testing.T) {
	var removed []wire.Device
	b := NewBook(Options{Now: time.Now, Rand: zeros{}, Removed: func(d wire.Device) { removed = append(removed, d) }})
	aci, pni := serviceid.NewACI(uuid.New()), serviceid.NewPNI(uuid.New())
	const number = "+12025550142"
	require.NoError(t, b.Register(Registration{Account: Account{ACI: aci, PNI: pni, Number: number}, Password: "p"}))

	response, err := b.deleteAccount(context.Background(), &wire.Request{By: &wire.Device{Account: aci.UUID, ID: 1}})
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, response.Status)
	require.Nil(t, b.Find(aci))
	require.Equal(t, []wire.Device{{Account: aci.UUID, ID: PrimaryID}}, removed)

	againACI, againPNI := b.identify(number)
	require.Equal(t, aci, againACI)
	require.Equal(t, pni, againPNI)
	otherACI, _ := b.identify("+12025550143")
	require.NotEqual(t, aci, otherACI)
}

// zeros is no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
