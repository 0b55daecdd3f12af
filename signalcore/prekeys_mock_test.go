package signalcore

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/store"
)

// The mock server takes a second upload of one-time keys for the PNI only, and forgets the one-time keys with each upload
// of others, both unlike the service: so these tests look at the PNI.
func (p *phone) checkPNI(l *line) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	p.upkeep.keys.mu.Lock()
	defer p.upkeep.keys.mu.Unlock()
	require.NoError(p.t, p.upkeep.keys.checkIdentity(ctx, l.auth, p.accounts.get(), serviceid.PNI))
}

func (p *phone) line() *line {
	p.t.Helper()
	l, err := p.connector.line(context.Background(), patience)
	require.NoError(p.t, err)
	return l
}

// Signed and last-resort keys are replaced every two days; the old stay for thirty more.
func TestPreKeyRotation(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		p.link()
		p.run()
		l := p.line()
		expect := func(current, stale int) {
			t.Helper()
			p.checkPNI(l)
			for _, of := range []store.PreKeyKind{store.ECSigned, store.KyberLastResort} {
				c, s := p.count(serviceid.PNI, of)
				require.Equal(t, [2]int{current, stale}, [2]int{c, s})
			}
		}
		expect(1, 0)
		p.clock.advance(rotateEvery - time.Hour)
		expect(1, 0)
		p.clock.advance(2 * time.Hour)
		expect(1, 1)
		expect(1, 1)
		p.clock.advance(keepReplaced - time.Hour)
		expect(1, 2)
		p.clock.advance(2 * time.Hour)
		expect(1, 1)
		p.view(func(tx *store.Tx) error {
			state, err := tx.PreKeyState(serviceid.PNI)
			require.Equal(t, uint32(3), state.ActiveSignedId)
			return err
		})
	})
}

// Below twenty the service gets a hundred new ones; those that they replace stay for thirty days.
func TestPreKeyTopUp(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		p.link()
		p.run()
		l, a := p.line(), p.accounts.get()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		take := func(count int) {
			for range count {
				_, err := l.auth.PreKeys(ctx, a.pni, a.deviceID)
				require.NoError(t, err)
			}
		}
		take(79)
		p.checkPNI(l)
		current, stale := p.count(serviceid.PNI, store.ECOneTime)
		require.Equal(t, [2]int{100, 0}, [2]int{current, stale}, "21 are enough")
		take(2)
		p.checkPNI(l)
		for _, of := range []store.PreKeyKind{store.ECOneTime, store.KyberOneTime} {
			current, stale := p.count(serviceid.PNI, of)
			require.Equal(t, [2]int{100, 100}, [2]int{current, stale})
		}
		ec, kyber, err := l.auth.PreKeyCounts(ctx, serviceid.PNI)
		require.NoError(t, err)
		require.Equal(t, [2]int{100, 100}, [2]int{ec, kyber})
		p.clock.advance(keepReplaced + time.Hour)
		p.checkPNI(l)
		current, stale = p.count(serviceid.PNI, store.ECOneTime)
		require.Equal(t, [2]int{100, 0}, [2]int{current, stale})
	})
}

// A failed upload loses nothing: the keys are on disk before, and the next attempt uploads the same.
func TestPreKeyUploadFails(t *testing.T) {
	t.Parallel()
	eachMock(t, func(t *testing.T, p *phone) {
		p.link()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		a := p.accounts.get()
		first, err := p.upkeep.keys.prepare(a, serviceid.ACI, 0, 0)
		require.NoError(t, err)
		current, _ := p.count(serviceid.ACI, store.KyberOneTime)
		require.Equal(t, 200, current)
		again, err := p.upkeep.keys.prepare(a, serviceid.ACI, 0, 0)
		require.NoError(t, err)
		require.Equal(t, uploadIDs(first.upload()), uploadIDs(again.upload()))
		current, _ = p.count(serviceid.ACI, store.KyberOneTime)
		require.Equal(t, 200, current)
		p.run() // only now: it sees to the keys by itself, too
		require.NoError(t, p.upkeep.keys.check(ctx), "the service has a hundred: nothing more is uploaded")
		current, stale := p.count(serviceid.ACI, store.KyberOneTime)
		require.Equal(t, [2]int{200, 0}, [2]int{current, stale})
	})
}

func uploadIDs(keys service.UploadKeys) (out []uint32) {
	for _, key := range keys.PreKeys {
		out = append(out, key.ID)
	}
	for _, key := range keys.KyberPreKeys {
		out = append(out, key.ID)
	}
	return out
}
