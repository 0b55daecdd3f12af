package session

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConversation(t *testing.T) {
	alice, bob := pair(t)
	require.False(t, alice.record.Answered())
	first := alice.encrypt(bob.address, "first")
	require.Equal(t, TypePreKey, first.kind)
	got, err := bob.decrypt(alice.address, first)
	require.NoError(t, err)
	require.Equal(t, "first", got)
	require.Empty(t, bob.oneTime)
	require.Empty(t, bob.kyber)
	for i := range 200 {
		say(bob, alice, fmt.Sprint("from Bob ", i))
		say(alice, bob, fmt.Sprint("from Alice ", i))
		alice.restart()
		bob.restart()
	}
	require.True(t, alice.record.Answered())
	require.Equal(t, TypeMessage, alice.encrypt(bob.address, "later").kind)
}
