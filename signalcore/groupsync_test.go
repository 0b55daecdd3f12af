package signalcore

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

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
	c.mu.Lock()
	c.refusal = http.StatusUnauthorized
	c.mu.Unlock()
	_, err := bob.Group(ctx, c.id(), true)
	require.ErrorIs(t, err, service.ErrUnauthorized)
	require.NotErrorIs(t, err, service.ErrUnlinked)
	state, _, _ := bob.connector.snapshot()
	require.Equal(t, model.StateConnected, state)
	c.mu.Lock()
	require.Equal(t, 2, c.asked, "once more with new credentials")
	c.refusal = 0
	c.mu.Unlock()
	_, err = bob.Group(ctx, c.id(), true)
	require.NoError(t, err)
}
