package session

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A contact who leaves out as many messages as the ratchet keeps makes a long record. It can be made to fit, and the
// session goes on.
func TestShrink(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	for range 3 {
		say(bob, alice, "reply")
		for range 1_999 {
			alice.encrypt(bob.address, "lost")
		}
		say(alice, bob, "the next")
	}
	long := bob.record.Serialize()
	require.Equal(t, long, bob.record.Shrink(len(long)).Serialize(), "nothing is taken without need")
	bob.record = bob.record.Shrink(len(long) / 2)
	require.LessOrEqual(t, len(bob.record.Serialize()), len(long)/2)
	say(alice, bob, "after it")
	say(bob, alice, "and back")
}

// Archived sessions go first, the oldest before the others.
func TestShrinkArchived(t *testing.T) {
	alice, bob := pair(t)
	say(alice, bob, "first")
	alone := len(bob.record.Serialize())
	for range 5 {
		alice.open(bob.address, bob.bundle())
		say(alice, bob, "another session")
	}
	late := alice.encrypt(bob.address, "in the current session")
	bob.record = bob.record.Shrink(alone + 200)
	require.LessOrEqual(t, len(bob.record.Serialize()), alone+200)
	got, err := bob.decrypt(alice.address, late)
	require.NoError(t, err)
	require.Equal(t, "in the current session", got)
}
