package phone_test

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content/profilecipher"
)

// A phone is the same after its snapshot, and its account has its identity, whichever of the two is the later.
func TestSnapshot(t *testing.T) {
	authority, err := accounts.NewAuthority(rand.Reader)
	require.NoError(t, err)
	book := accounts.NewBook(accounts.Options{
		Authority: authority, Now: time.Now, Rand: rand.Reader, Removed: func(wire.Device) {},
	})
	options := phone.Options{
		Number: "+12025550111", Name: profilecipher.Name{Given: "Anna"}, Now: time.Now, Rand: rand.Reader,
	}
	before, err := phone.New(book, options)
	require.NoError(t, err)
	former := before.Snapshot(func() {})
	again, err := phone.Restore(book, options, former)
	require.NoError(t, err)
	require.Equal(t, former, again.Snapshot(func() {}))

	_, err = before.Renew()
	require.NoError(t, err)
	again, err = phone.Restore(book, options, former)
	require.NoError(t, err)
	require.Equal(t, again.Identity().Keys.Public, book.Find(again.ACI).Identity)

	book.Remove(again.ACI)
	_, err = phone.Restore(book, options, former)
	require.ErrorContains(t, err, "there is no account")
	former.ProfileKey = nil
	_, err = phone.Restore(book, options, former)
	require.ErrorContains(t, err, "no profile key")
}
