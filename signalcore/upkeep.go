package signalcore

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	upkeepTick = time.Minute
	// preKeysEvery is how often to ask for the number of prekeys without another reason.
	preKeysEvery = 6 * time.Hour
	// preKeysPause is between checks that a drained queue asks for.
	preKeysPause = time.Minute
	storageEvery = 24 * time.Hour
	whoAmIEvery  = 24 * time.Hour
	scanEvery    = time.Hour
	// upkeepRetry is the rest after a failure.
	upkeepRetry = 10 * time.Minute
)

// upkeep keeps the account in order: prekeys, the storage service, profiles, the inbox's bounds. run belongs to one
// goroutine; do is called by the outbox's, and the rest by any.
type upkeep struct {
	*Client
	wakeUp  chan struct{}
	keysDue atomic.Bool
	newLine atomic.Bool
	scanDue atomic.Bool // there are new contacts

	keys     *preKeys
	storage  *storageSync
	profiles *profiles

	// These are run's own.
	announced time.Time // of the link whose capabilities the service knows
	due       map[string]time.Time
	stale     []serviceid.ServiceID // whose profiles are to be fetched
}

func newUpkeep(c *Client) *upkeep {
	u := &upkeep{
		Client: c, wakeUp: make(chan struct{}, 1), due: make(map[string]time.Time),
		keys: newPreKeys(c), storage: newStorageSync(c), profiles: newProfiles(c),
	}
	return u
}

// connected is called on each new connection.
func (u *upkeep) connected() {
	u.newLine.Store(true)
	u.wake()
}

// checkPreKeys has the prekeys looked at soon.
func (u *upkeep) checkPreKeys() {
	u.keysDue.Store(true)
	u.wake()
}

// contactsRead has the profiles of new contacts fetched.
func (u *upkeep) contactsRead() {
	u.scanDue.Store(true)
	u.wake()
}

func (u *upkeep) wake() {
	select {
	case u.wakeUp <- struct{}{}:
	default:
	}
}

// run does what is due, now and then, until ctx ends.
func (u *upkeep) run(ctx context.Context) {
	for ctx.Err() == nil {
		u.tidy()
		if u.connector.connected() {
			u.online(ctx)
		}
		waitFor(ctx, u.wakeUp, upkeepTick)
	}
}

// tidy keeps the disk in order, with and without a connection.
func (u *upkeep) tidy() {
	if err := u.inbox.Tidy(); err != nil {
		u.log.Warn().Err(err).Msg("the inbox could not be tidied")
	}
	if err := u.store.Maintain(); err != nil {
		u.log.Debug().Err(err).Msg("the store needs attention")
	}
}

// online does what needs the service.
func (u *upkeep) online(ctx context.Context) {
	a, err := u.accounts.working()
	if err != nil {
		return
	}
	if u.newLine.Swap(false) && !u.announced.Equal(a.linkedAt) {
		u.now(ctx, "capabilities", func(ctx context.Context) error { return u.announce(ctx, a) })
	}
	u.checkKeys(ctx)
	u.every(ctx, "storage service", storageEvery, u.storage.sync)
	u.every(ctx, "account check", whoAmIEvery, u.whoAmI)
	u.every(ctx, "group credentials", credentialsEvery, u.groups.credentials.check)
	u.every(ctx, "messages that wait for groups", parkedEvery, u.receiver.tendParked)
	u.fetchGroups(ctx)
	u.refreshProfiles(ctx)
}

// now runs a task and logs its failure. It reports success.
func (u *upkeep) now(ctx context.Context, name string, task func(context.Context) error) bool {
	err := task(ctx)
	if err != nil && ctx.Err() == nil {
		u.log.Info().Err(err).Str("task", name).Msg("upkeep will be tried again")
	}
	return err == nil
}

// every runs a task when it is time to, with jitter so that devices which started together drift apart. The first time
// is now; for a task that a job does after linking that costs one request.
func (u *upkeep) every(ctx context.Context, name string, interval time.Duration, task func(context.Context) error) {
	now := u.config.Now()
	if now.Before(u.due[name]) {
		return
	}
	if u.now(ctx, name, task) {
		u.due[name] = now.Add(jittered(interval))
		return
	}
	u.due[name] = now.Add(jittered(upkeepRetry))
}

// jittered takes up to a quarter off.
func jittered(d time.Duration) time.Duration { return d - rand.N(d/4) }

func (u *upkeep) checkKeys(ctx context.Context) {
	const name = "prekeys"
	now := u.config.Now()
	if u.keysDue.Load() {
		if earliest := now.Add(preKeysPause); u.due[name].After(earliest) {
			u.due[name] = earliest
			if now.Sub(u.keys.lastChecked()) >= preKeysPause {
				u.due[name] = now
			}
		}
		u.keysDue.Store(false)
	}
	u.every(ctx, name, preKeysEvery, u.keys.check)
}

// announce tells the service what this build can do. Account attributes beyond that are the primary's.
func (u *upkeep) announce(ctx context.Context, a *account) error {
	l, err := u.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	if err := l.auth.SetCapabilities(ctx, capabilities(!a.pni.IsZero())); err != nil {
		return err
	}
	u.announced = a.linkedAt
	return nil
}

// whoAmI compares what the service says of the account with what we know: a number can change while we are away.
func (u *upkeep) whoAmI(ctx context.Context) error {
	l, err := u.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	known, err := l.auth.WhoAmI(ctx)
	if err != nil {
		return err
	}
	a, err := u.accounts.working()
	if err != nil || known.ACI != a.aci {
		return err
	}
	if known.PNI != a.pni {
		u.log.Warn().Msg("the account has another phone-number identity than this device: link it again")
		return nil
	}
	if known.Number == "" || known.Number == a.number {
		return nil
	}
	err = u.store.Update(func(tx *store.Tx) error {
		record, err := tx.Account()
		if err != nil {
			return err
		}
		record.Number = known.Number
		return tx.PutAccount(record)
	})
	if err != nil {
		return err
	}
	return u.reloadAccount()
}

// do does one of the outbox's jobs.
func (u *upkeep) do(ctx context.Context, job *storepb.Job) error {
	switch job.GetKind() {
	case storepb.JobKind_JOB_PREKEY_CHECK:
		return u.keys.check(ctx)
	case storepb.JobKind_JOB_STORAGE_SYNC:
		return u.storage.sync(ctx)
	case storepb.JobKind_JOB_PROFILE_FETCH:
		id, err := serviceid.ParseBinary(job.GetServiceId())
		if err != nil {
			return nil //nolint:nilerr // it names nobody
		}
		return u.profiles.fetch(ctx, id)
	case storepb.JobKind_JOB_GROUP_REFRESH:
		return u.groups.refresh(ctx, job)
	case storepb.JobKind_JOB_GROUP_RECORD:
		return u.storage.writeGroup(ctx, job)
	case storepb.JobKind_JOB_CONTACT_SYNC:
		return u.syncContacts(ctx, job.GetPayload())
	}
	u.log.Warn().Stringer("job", job.GetKind()).Msg("a job of an unknown kind was dropped")
	return nil
}

// fetchGroups fetches a few of the groups that are known by their keys alone.
func (u *upkeep) fetchGroups(ctx context.Context) {
	const name = "groups"
	if u.config.Now().Before(u.due[name]) {
		return
	}
	u.now(ctx, name, func(ctx context.Context) error {
		more, err := u.groups.fetchSome(ctx)
		if err != nil {
			u.due[name] = u.config.Now().Add(jittered(upkeepRetry))
		} else if more {
			u.wake() // after the rest of this round
		}
		return err
	})
}

// refreshProfiles fetches a few of the profiles that are not known or old.
func (u *upkeep) refreshProfiles(ctx context.Context) {
	const name = "profile scan"
	now := u.config.Now()
	if u.scanDue.Swap(false) || len(u.stale) == 0 && !now.Before(u.due[name]) {
		stale, err := u.profiles.stale()
		if err != nil {
			u.log.Warn().Err(err).Msg("profiles could not be looked through")
		}
		u.stale, u.due[name] = stale, now.Add(jittered(scanEvery))
	}
	for range min(profilesAtOnce, len(u.stale)) {
		if now.Before(u.due["profiles"]) {
			return
		}
		id := u.stale[0]
		if err := u.profiles.fetch(ctx, id); err != nil {
			u.log.Debug().Err(err).Str("of", id.Short()).Msg("a profile could not be fetched")
			if errors.Is(err, store.ErrDiskFull) || ctx.Err() != nil || canWait(err) {
				u.due["profiles"] = now.Add(jittered(upkeepRetry))
				return
			}
		}
		u.stale = u.stale[1:]
	}
	if len(u.stale) > 0 {
		u.due["profiles"] = now.Add(profilesPause)
	}
}
