package signalcore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	kyberPerTransaction = 20
	// oneTimeKeys is how many the service takes at a time; with fewer than fewKeys left it gets new ones.
	oneTimeKeys = 100
	fewKeys     = 20
	// rotateEvery is the life of a signed and of a last-resort prekey.
	rotateEvery = 2 * 24 * time.Hour
	// keepReplaced is for how long messages that were made with a replaced prekey can still arrive.
	keepReplaced = 30 * 24 * time.Hour
)

// preKeys keeps the service supplied with this device's prekeys. A key is on disk before it leaves, and stays there for
// keepReplaced after the service has got a newer one, whatever goes wrong in between.
type preKeys struct {
	*Client
	checked atomic.Int64 // when the last check succeeded, Unix milliseconds

	mu      sync.Mutex // one check at a time
	pending map[serviceid.Kind]*keyBatch
}

// keyBatch is new keys, saved, of which it is not known that the service has them. The next attempt uploads the same.
type keyBatch struct {
	ec         []prekey.EC
	kyber      []prekey.Kyber
	signed     *prekey.Signed
	lastResort *prekey.Kyber
	linkedAt   time.Time // of the link that they were made for
}

func newPreKeys(c *Client) *preKeys {
	return &preKeys{Client: c, pending: make(map[serviceid.Kind]*keyBatch)}
}

// check tops up and rotates where it is time to, for both identities.
func (k *preKeys) check(ctx context.Context) error {
	l, err := k.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	a, err := k.accounts.working()
	if err != nil {
		return err
	}
	return k.checkOver(ctx, l.auth, a)
}

func (k *preKeys) checkOver(ctx context.Context, auth *service.Authenticated, a *account) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	errs := []error{k.checkIdentity(ctx, auth, a, serviceid.ACI)}
	if !a.pni.IsZero() {
		errs = append(errs, k.checkIdentity(ctx, auth, a, serviceid.PNI))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	k.checked.Store(k.config.Now().UnixMilli())
	return nil
}

func (k *preKeys) lastChecked() time.Time { return time.UnixMilli(k.checked.Load()) }

func (k *preKeys) checkIdentity(
	ctx context.Context, auth *service.Authenticated, a *account, kind serviceid.Kind,
) error {
	ec, kyber, err := auth.PreKeyCounts(ctx, kind)
	if err != nil {
		return err
	}
	batch, err := k.prepare(a, kind, ec, kyber)
	if err != nil {
		return err
	}
	if !batch.empty() {
		if err := auth.UploadPreKeys(ctx, kind, batch.upload()); err != nil {
			return fmt.Errorf("upload prekeys: %w", err)
		}
		k.log.Debug().Bool("pni", kind == serviceid.PNI).Int("ec", len(batch.ec)).Int("kyber", len(batch.kyber)).
			Bool("signed", batch.signed != nil).Bool("last_resort", batch.lastResort != nil).Msg("prekeys uploaded")
		ec, kyber = max(ec, len(batch.ec)), max(kyber, len(batch.kyber))
	}
	if err := k.settle(batch, kind, ec, kyber); err != nil {
		return err
	}
	delete(k.pending, kind)
	return nil
}

// prepare returns what the service should get, saved already.
func (k *preKeys) prepare(a *account, kind serviceid.Kind, ec, kyber int) (*keyBatch, error) {
	batch := k.pending[kind]
	if batch == nil || !batch.linkedAt.Equal(a.linkedAt) {
		batch = &keyBatch{linkedAt: a.linkedAt}
	}
	if ec >= fewKeys {
		batch.ec = nil // not wanted, or the last upload arrived although its answer did not
	}
	if kyber >= fewKeys {
		batch.kyber = nil
	}
	ids, err := k.missing(batch, kind, ec, kyber)
	if err != nil || ids == nil {
		return batch, err
	}
	identity := a.aciIdentity
	if kind == serviceid.PNI {
		identity = a.pniIdentity
	}
	fresh := &keyBatch{linkedAt: a.linkedAt}
	if err := fresh.generate(k.config.Rand, identity, ids, k.config.Now()); err != nil {
		return nil, err
	}
	for _, part := range fresh.parts() {
		if err := k.store.Update(func(tx *store.Tx) error { return part.save(tx, kind) }); err != nil {
			return nil, err
		}
	}
	batch.add(fresh)
	k.pending[kind] = batch
	return batch, nil
}

// keyIDs are the numbers of keys to make.
type keyIDs struct{ ec, kyber, signed, lastResort []uint32 }

// missing takes numbers for what is wanted beyond the batch; nil where nothing is.
func (k *preKeys) missing(batch *keyBatch, kind serviceid.Kind, ec, kyber int) (*keyIDs, error) {
	var state *storepb.PreKeyState
	err := k.store.View(func(tx *store.Tx) (err error) {
		state, err = tx.PreKeyState(kind)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := k.config.Now()
	wants := []struct {
		wanted bool
		kind   store.PreKeyKind
		count  int
		ids    []uint32
	}{
		{ec < fewKeys && batch.ec == nil, store.ECOneTime, oneTimeKeys, nil},
		{kyber < fewKeys && batch.kyber == nil, store.KyberOneTime, oneTimeKeys, nil},
		{rotationDue(now, state.GetSignedRotatedAt()) && batch.signed == nil, store.ECSigned, 1, nil},
		{rotationDue(now, state.GetLastResortRotatedAt()) && batch.lastResort == nil, store.KyberLastResort, 1, nil},
	}
	any := false
	for _, w := range wants {
		any = any || w.wanted
	}
	if !any {
		return nil, nil
	}
	err = k.store.Update(func(tx *store.Tx) (err error) {
		for i, w := range wants {
			if !w.wanted {
				continue
			}
			if wants[i].ids, err = tx.NextPreKeyIDs(kind, w.kind, w.count); err != nil {
				return err
			}
		}
		return nil
	})
	return &keyIDs{wants[0].ids, wants[1].ids, wants[2].ids, wants[3].ids}, err
}

// rotationDue also holds for a rotation in the future: the clock was wrong then.
func rotationDue(now time.Time, rotatedAt int64) bool {
	age := now.Sub(time.UnixMilli(rotatedAt))
	return age >= rotateEvery || age < -time.Hour
}

func (b *keyBatch) generate(rand io.Reader, identity localIdentity, ids *keyIDs, now time.Time) error {
	private := identity.keys.Private
	for _, id := range ids.ec {
		keys, err := prekey.GenerateEC(rand, id, 1)
		if err != nil {
			return err
		}
		b.ec = append(b.ec, keys...)
	}
	for _, id := range ids.kyber {
		keys, err := prekey.GenerateKyber(rand, private, id, 1, now)
		if err != nil {
			return err
		}
		b.kyber = append(b.kyber, keys...)
	}
	for _, id := range ids.signed {
		key, err := prekey.GenerateSigned(rand, private, id, now)
		if err != nil {
			return err
		}
		b.signed = &key
	}
	for _, id := range ids.lastResort {
		key, err := prekey.GenerateLastResort(rand, private, id, now)
		if err != nil {
			return err
		}
		b.lastResort = &key
	}
	return nil
}

// parts splits a batch into what fits a transaction: a Kyber key takes nearly 5 KB.
func (b *keyBatch) parts() []*keyBatch {
	parts := []*keyBatch{{ec: b.ec, signed: b.signed, lastResort: b.lastResort}}
	for keys := range slices.Chunk(b.kyber, kyberPerTransaction) {
		parts = append(parts, &keyBatch{kyber: keys})
	}
	return parts
}

// save writes the keys. Those of a batch that was cut short are never handed out, and go with the next rotation.
func (b *keyBatch) save(tx *store.Tx, kind serviceid.Kind) error {
	for _, key := range b.ec {
		if err := tx.PutPreKey(kind, store.ECOneTime, key.ID, &storepb.PreKey{Record: key.Serialize()}); err != nil {
			return err
		}
	}
	for _, key := range b.kyber {
		if err := putKyber(tx, kind, key); err != nil {
			return err
		}
	}
	if b.signed != nil {
		if err := putSigned(tx, kind, *b.signed); err != nil {
			return err
		}
	}
	if b.lastResort != nil {
		return putKyber(tx, kind, *b.lastResort)
	}
	return nil
}

func putSigned(tx *store.Tx, kind serviceid.Kind, key prekey.Signed) error {
	return tx.PutPreKey(kind, store.ECSigned, key.ID, &storepb.PreKey{Record: key.Serialize()})
}

func putKyber(tx *store.Tx, kind serviceid.Kind, key prekey.Kyber) error {
	as := store.KyberOneTime
	if key.LastResort {
		as = store.KyberLastResort
	}
	return tx.PutPreKey(kind, as, key.ID, &storepb.PreKey{Record: key.Serialize()})
}

func (b *keyBatch) add(more *keyBatch) {
	b.ec, b.kyber = append(b.ec, more.ec...), append(b.kyber, more.kyber...)
	if more.signed != nil {
		b.signed = more.signed
	}
	if more.lastResort != nil {
		b.lastResort = more.lastResort
	}
}

func (b *keyBatch) empty() bool {
	return len(b.ec) == 0 && len(b.kyber) == 0 && b.signed == nil && b.lastResort == nil
}

func (b *keyBatch) upload() service.UploadKeys {
	var out service.UploadKeys
	for _, key := range b.ec {
		out.PreKeys = append(out.PreKeys, service.PreKey{ID: key.ID, PublicKey: key.Keys.Public.Serialize()})
	}
	for _, key := range b.kyber {
		out.KyberPreKeys = append(out.KyberPreKeys, *uploadKyber(key))
	}
	if b.signed != nil {
		out.Signed = uploadSigned(*b.signed)
	}
	if b.lastResort != nil {
		out.LastResort = uploadKyber(*b.lastResort)
	}
	return out
}

func uploadSigned(key prekey.Signed) *service.SignedPreKey {
	return &service.SignedPreKey{ID: key.ID, PublicKey: key.Keys.Public.Serialize(), Signature: key.Signature[:]}
}

func uploadKyber(key prekey.Kyber) *service.SignedPreKey {
	return &service.SignedPreKey{ID: key.ID, PublicKey: key.Keys.Public.Serialize(), Signature: key.Signature[:]}
}
