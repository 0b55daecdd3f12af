package signalcore

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/faults"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
)

// That the group service takes none of the credentials that the service issues is its fault: this device is linked.
func TestGroupServiceTakesNoCredential(t *testing.T) {
	t.Parallel()
	c, _, bob, _ := meeting(t)
	c.knownBy(bob)
	bob.online()
	ctx, cancel := contextOf(t)
	defer cancel()
	require.NoError(t, bob.world.Faults.Set(faults.Rule{
		Kind: faults.Status, Path: "/storage/v2/groups", Status: http.StatusUnauthorized,
	}))
	_, err := bob.Group(ctx, c.id(), true)
	require.ErrorIs(t, err, service.ErrUnauthorized)
	require.NotErrorIs(t, err, service.ErrUnlinked)
	state, _, _ := bob.connector.snapshot()
	require.Equal(t, model.StateConnected, state)
	require.EqualValues(t, 2, bob.world.asked.Load(), "once more with new credentials")
	require.NoError(t, bob.world.Faults.Set())
	_, err = bob.Group(ctx, c.id(), true)
	require.NoError(t, err)
}
