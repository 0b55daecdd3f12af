// Package messengertest makes worlds for the tests of those who live in a sandbox: a service without a network.
package messengertest

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/disk"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/groups"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/storage"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
)

// New makes a world in which nobody lives yet.
func New(t testing.TB) messenger.World {
	t.Helper()
	authority, err := accounts.NewAuthority(rand.Reader)
	require.NoError(t, err)
	root, err := curve.ParsePublicKey(authority.TrustRoot())
	require.NoError(t, err)
	world := messenger.World{
		CDN: cdn.New(time.Now, disk.Open(t.TempDir())), TrustRoot: root, ZK: authority.ZK.PublicParams(),
		Now: time.Now, Rand: rand.Reader, Logger: zerolog.Nop(),
	}
	world.Book = accounts.NewBook(accounts.Options{
		Authority: authority, Now: time.Now, Rand: rand.Reader,
		Removed: func(device wire.Device) { world.Messages.Remove(device) },
	})
	world.Messages = messages.NewHub(world.Book, &faults.Switches{}, time.Now)
	routes := wire.NewRouter(world.Logger)
	world.Book.Routes(routes)
	world.Messages.Routes(routes)
	kept := storage.New(time.Now)
	kept.ChatRoutes(routes)
	kept.Routes(routes)
	groups.New(groups.Options{ZK: authority.ZK, Now: time.Now, Rand: rand.Reader}).Routes(routes)
	world.Call = routes.Route
	return world
}
