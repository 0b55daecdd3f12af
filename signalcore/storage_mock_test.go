package signalcore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func (p *phone) setContacts(legacy bool, names ...string) {
	p.t.Helper()
	p.mock.Call("setContacts", map[string]any{"account": "me", "contacts": names, "legacy": legacy}, nil)
}

// Records of an old manifest, without key material of its own, hang on the storage key.
func TestStorageWithOldKeys(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		p.setContacts(true, "alice")
		p.link()
		p.run()
		p.await("alice", func(tx *store.Tx) bool {
			id, err := serviceid.Parse(alice.ACI)
			require.NoError(t, err)
			r, err := tx.RecipientByServiceID(id)
			return err == nil && len(r.GetStorageId()) > 0 && r.GetProfileGivenName() == "alice"
		})
	})
}

// With a key that does not fit, the primary is asked for the keys; its answer brings the contacts.
func TestStorageWithWrongKey(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		p.setContacts(false, "alice")
		p.link()
		require.NoError(t, p.store.Update(func(tx *store.Tx) error {
			record, err := tx.Account()
			require.NoError(t, err)
			record.MasterKey[0] ^= 1
			require.NoError(t, tx.PutAccount(record))
			jobs, err := tx.DueJobs(0)
			require.NoError(t, err)
			for _, job := range jobs { // nothing but the failed sync shall ask for keys
				require.NoError(t, tx.DeleteJob(job.Id))
			}
			return nil
		}))
		require.NoError(t, p.reloadAccount())
		p.run()
		p.await("alice, after the keys", func(tx *store.Tx) bool {
			id, err := serviceid.Parse(alice.ACI)
			require.NoError(t, err)
			r, err := tx.RecipientByServiceID(id)
			return err == nil && len(r.GetStorageId()) > 0
		})
		asked := func() (at int64) {
			p.view(func(tx *store.Tx) error {
				settings, err := tx.AccountSettings()
				at = settings.GetKeysRequestedAt()
				return err
			})
			return at
		}
		before := asked()
		require.NotZero(t, before)
		require.NoError(t, p.upkeep.storage.askForKeys())
		require.Equal(t, before, asked(), "not again within the hour")
		p.clock.advance(keysEvery)
		require.NoError(t, p.upkeep.storage.askForKeys())
		require.Greater(t, asked(), before)
	})
}

// A manifest is read once; a newer one brings what is new.
func TestStorageFollowsManifest(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		p.mock.NewAccount("alice")
		bob := p.mock.NewAccount("bob")
		p.setContacts(false, "alice")
		p.link()
		p.run()
		version := func() (v uint64) {
			p.view(func(tx *store.Tx) error {
				settings, err := tx.AccountSettings()
				v = settings.GetStorageManifestVersion()
				return err
			})
			return v
		}
		require.Eventually(t, func() bool { return version() > 0 }, patience, 20*time.Millisecond)
		before := version()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, p.upkeep.storage.sync(ctx))
		require.Equal(t, before, version())
		p.setContacts(false, "alice", "bob")
		require.NoError(t, p.upkeep.storage.sync(ctx))
		require.Greater(t, version(), before)
		require.Equal(t, "bob", p.recipient(bob).GetProfileGivenName())
	})
}

// The profile tells whether sealed messages are taken, and whether there is an account at all.
func TestProfileAccess(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		alice := p.mock.NewAccount("alice")
		p.setContacts(false, "alice")
		p.link()
		p.run()
		id, err := serviceid.Parse(alice.ACI)
		require.NoError(t, err)
		p.await("access", func(tx *store.Tx) bool {
			r, err := tx.RecipientByServiceID(id)
			return err == nil && r.GetAccess() == storepb.Access_ACCESS_ENABLED
		})
		p.mock.Call("newAccessKey", map[string]any{"account": "alice"}, nil)
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, p.upkeep.profiles.fetch(ctx, id))
		require.Equal(t, storepb.Access_ACCESS_DISABLED, p.recipient(alice).GetAccess())
		stale, err := p.upkeep.profiles.stale()
		require.NoError(t, err)
		require.NotContains(t, stale, id)
		p.clock.advance(profileLife + time.Hour)
		stale, err = p.upkeep.profiles.stale()
		require.NoError(t, err)
		require.Contains(t, stale, id)
	})
}
