package signalcore

import (
	"context"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/interop"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const patience = 2 * time.Minute

// clock is a clock that tests set forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// phone is a client under test beside the mock server with its account.
type phone struct {
	*Client
	t     *testing.T
	mock  *interop.Mock
	me    *interop.Account
	clock *clock
	uri   string
}

func newPhone(t *testing.T, version int) *phone { return newPhoneWith(t, version, interop.Options{}) }

func newPhoneWith(t *testing.T, version int, options interop.Options) *phone {
	t.Helper()
	mock := mocks.Start(t, version, options)
	p := &phone{t: t, mock: mock, me: mock.NewAccount("me"), clock: new(clock)}
	env, err := environment.Load(mock.Environment)
	require.NoError(t, err)
	p.Client, err = Open(Config{
		DataDir: t.TempDir(), Environment: env, Logger: testLog(t), Version: "test", InboxMaxBytes: 1 << 30,
		StoreCache: 1 << 20, Now: p.clock.now, Code: func(error) int { return 1 },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		p.linker.close()
		require.NoError(t, p.Close())
	})
	return p
}

// testLog shows the client's log with -v. Lines that come after the test are dropped, as they must be.
func testLog(t *testing.T) zerolog.Logger {
	if !testing.Verbose() {
		return zerolog.New(io.Discard)
	}
	return zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)
}

// eachMock runs a test against both mock servers.
func eachMock(t *testing.T, test func(t *testing.T, p *phone)) {
	interop.Require(t)
	for _, version := range interop.Versions {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			test(t, newPhone(t, version))
		})
	}
}

// link links with a scan.
func (p *phone) link() model.Account {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	uri, err := p.StartLink(ctx, model.LinkOptions{DeviceName: "kiosk"})
	require.NoError(p.t, err)
	p.uri = uri
	scanned := make(chan error, 1)
	go func() { scanned <- p.mock.Try("link", map[string]any{"account": "me", "uri": uri}, nil) }()
	account, err := p.FinishLink(ctx, uri)
	require.NoError(p.t, err)
	select {
	case err := <-scanned:
		require.NoError(p.t, err)
	case <-ctx.Done():
		require.Fail(p.t, "the phone does not take the link as complete")
	}
	return account
}

// run lets the client run until the returned function is called.
func (p *phone) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.Run(ctx) })
	var once sync.Once
	stop = func() { once.Do(func() { cancel(); running.Wait() }) }
	p.t.Cleanup(stop)
	return stop
}

func (p *phone) view(fn func(tx *store.Tx) error) {
	p.t.Helper()
	require.NoError(p.t, p.store.View(fn))
}

// await polls the store until a condition holds.
func (p *phone) await(what string, holds func(tx *store.Tx) bool) {
	p.t.Helper()
	require.Eventually(p.t, func() (ok bool) {
		p.view(func(tx *store.Tx) error { ok = holds(tx); return nil })
		return ok
	}, patience, 20*time.Millisecond, what)
}

func (p *phone) count(kind serviceid.Kind, of store.PreKeyKind) (current, stale int) {
	p.t.Helper()
	p.view(func(tx *store.Tx) error {
		keys, err := tx.PreKeys(kind, of)
		for _, key := range keys {
			if key.StaleSince != 0 {
				stale++
			} else {
				current++
			}
		}
		return err
	})
	return current, stale
}

func (p *phone) recipient(of *interop.Account) *storepb.Recipient {
	p.t.Helper()
	id, err := serviceid.Parse(of.ACI)
	require.NoError(p.t, err)
	var r *storepb.Recipient
	p.view(func(tx *store.Tx) (err error) {
		r, err = tx.RecipientByServiceID(id)
		return err
	})
	return r
}

var bothIdentities = []serviceid.Kind{serviceid.ACI, serviceid.PNI}

func TestLinkWithMock(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		account := p.link()
		require.Equal(t, p.me.ACI, account.ACI.String())
		require.Equal(t, p.me.PNI, account.PNI.String())
		require.Equal(t, p.me.Number, account.Number)
		require.Equal(t, "kiosk", account.DeviceName)
		for _, kind := range bothIdentities {
			for _, of := range []store.PreKeyKind{store.ECOneTime, store.KyberOneTime} {
				current, stale := p.count(kind, of)
				require.Equal(t, [2]int{100, 0}, [2]int{current, stale})
			}
		}

		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := p.StartLink(ctx, model.LinkOptions{})
		require.ErrorIs(t, err, model.ErrAlreadyLinked)
		again, err := p.FinishLink(ctx, p.uri)
		require.NoError(t, err, "the outcome is remembered")
		require.Equal(t, account, again)

		p.run()
		l, err := p.connector.line(ctx, patience)
		require.NoError(t, err)
		for _, kind := range bothIdentities {
			ec, kyber, err := l.auth.PreKeyCounts(ctx, kind)
			require.NoError(t, err)
			require.Equal(t, [2]int{100, 100}, [2]int{ec, kyber})
		}
		devices, err := p.Devices(ctx)
		require.NoError(t, err)
		require.Contains(t, names(devices), "kiosk")
	})
}

func names(devices []model.Device) (out []string) {
	for _, d := range devices {
		out = append(out, d.Name)
	}
	return out
}

// A newer URI takes the place of the one before, and closing ends what waits.
func TestLinkSuperseded(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		first, err := p.StartLink(ctx, model.LinkOptions{})
		require.NoError(t, err)
		waiting := make(chan error, 1)
		session := p.linker.session(first)
		require.NotNil(t, session)
		go func() {
			_, err := p.FinishLink(ctx, first)
			waiting <- err
		}()
		second, err := p.StartLink(ctx, model.LinkOptions{})
		require.NoError(t, err)
		require.NotEqual(t, first, second)
		require.ErrorIs(t, <-waiting, model.ErrNotFound)
		_, err = p.FinishLink(ctx, first)
		require.ErrorIs(t, err, model.ErrNotFound)

		short, stop := context.WithTimeout(ctx, time.Millisecond)
		defer stop()
		_, err = p.FinishLink(short, second)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		p.linker.close()
		_, err = p.FinishLink(ctx, second)
		require.ErrorIs(t, err, model.ErrNotFound)
		_, err = p.StartLink(ctx, model.LinkOptions{})
		require.ErrorIs(t, err, model.ErrShuttingDown)
	})
}

// Linking again keeps what was there, and starts with keys of its own.
func TestLinkAgain(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		first := p.link()
		require.NoError(t, p.markUnlinked("the test says so"))
		info, err := p.Account(context.Background())
		require.NoError(t, err)
		require.True(t, info.Unlinked)
		second := p.link()
		require.NotEqual(t, first.DeviceID, second.DeviceID)
		require.False(t, second.Unlinked)
		for _, kind := range bothIdentities {
			current, stale := p.count(kind, store.ECSigned)
			require.Equal(t, [2]int{1, 0}, [2]int{current, stale})
		}
	})
}

// What the phone keeps in the storage service and sends as a contact list reaches the recipients.
func TestContactsReachUs(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		var contacts []*interop.Account
		for _, name := range []string{"alice", "bob", "carol", "dave", "erin"} {
			contacts = append(contacts, p.mock.NewAccount(name))
		}
		p.mock.Call("setContacts", map[string]any{"account": "me", "contacts": []string{"alice", "bob", "carol", "dave", "erin"}}, nil)
		p.link()
		p.run()
		p.await("the storage service and the contact list", func(tx *store.Tx) bool {
			settings, err := tx.AccountSettings()
			require.NoError(t, err)
			return settings.GetStorageManifestVersion() > 0 && settings.GetContactsSyncedAt() > 0
		})
		for _, contact := range contacts {
			r := p.recipient(contact)
			require.Len(t, r.GetProfileKey(), 32)
			require.Equal(t, contact.Name, r.GetProfileGivenName())
			require.Equal(t, contact.Name, r.GetContactGivenName())
			require.Equal(t, contact.Number, r.GetNumber())
			require.True(t, r.GetWhitelisted())
		}
		account, err := p.Account(context.Background())
		require.NoError(t, err)
		require.Equal(t, "me", account.Name)
		p.await("the profiles", func(tx *store.Tx) bool {
			id, err := serviceid.Parse(contacts[0].ACI)
			require.NoError(t, err)
			r, err := tx.RecipientByServiceID(id)
			require.NoError(t, err)
			return r.GetAccess() == storepb.Access_ACCESS_ENABLED
		})
	})
}
