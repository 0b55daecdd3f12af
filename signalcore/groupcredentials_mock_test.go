package signalcore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

func (p *phone) storedCredentials() (kept *storepb.GroupCredentials) {
	p.t.Helper()
	p.view(func(tx *store.Tx) (err error) {
		kept, err = tx.GroupCredentials()
		return err
	})
	return kept
}

// Credentials are fetched for a week, kept, and fetched anew only when a day is missing, or when they are another number's.
func TestGroupCredentials(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		p.link()
		p.run()
		p.await("credentials", func(tx *store.Tx) bool {
			kept, err := tx.GroupCredentials()
			return err == nil && len(kept.GetDays()) > 0
		})
		first := p.storedCredentials()
		require.Len(t, first.Days, credentialDays+1)
		for i, day := range first.Days {
			require.Equal(t, dayOf(p.clock.now()).AddDate(0, 0, i).Unix(), day.GetRedemption())
		}
		same := func(with *storepb.GroupCredentials) {
			t.Helper()
			_, err := p.groups.credentials.today(p.timely())
			require.NoError(t, err)
			require.NoError(t, p.groups.credentials.check(p.timely()))
			require.Equal(t, with.FetchedAt, p.storedCredentials().FetchedAt)
		}
		same(first)
		p.clock.advance((credentialDays - 1) * 24 * time.Hour)
		same(first)
		p.clock.advance(-(credentialDays - 1) * 24 * time.Hour)

		edit := func(change func(*storepb.GroupCredentials)) {
			kept := p.storedCredentials()
			change(kept)
			kept.FetchedAt = 1
			require.NoError(t, p.store.Update(func(tx *store.Tx) error { return tx.PutGroupCredentials(kept) }))
		}
		edit(func(kept *storepb.GroupCredentials) { kept.Days = kept.Days[:1] })
		_, err := p.groups.credentials.today(p.timely())
		require.NoError(t, err)
		require.EqualValues(t, 1, p.storedCredentials().FetchedAt, "today's is enough for today")
		require.NoError(t, p.groups.credentials.check(p.timely()))
		require.Len(t, p.storedCredentials().Days, credentialDays+1, "tomorrow's was missing")

		edit(func(kept *storepb.GroupCredentials) { kept.Pni[0] ^= 1 })
		_, err = p.groups.credentials.today(p.timely())
		require.NoError(t, err)
		require.Equal(t, first.Pni, p.storedCredentials().Pni)

		require.NoError(t, p.groups.credentials.forget())
		p.mock.Forge("authCredential", 1)
		_, err = p.groups.credentials.today(p.timely())
		require.ErrorIs(t, err, errCredentials)
		require.Empty(t, p.storedCredentials().Days)
		_, err = p.groups.credentials.today(p.timely())
		require.NoError(t, err)
	})
}
