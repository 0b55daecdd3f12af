package signalcore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// maxLogPages bounds how much of a log is followed; beyond it the state itself is fetched.
	maxLogPages = 64
	// maxHistory is how many revisions since joining are looked through for how that came about.
	maxHistory = 64
)

// errLogLost means that the log does not lead from the known state to the service's: the state has to be fetched.
var errLogLost = errors.New("the group's log does not go on from the known revision")

// groupWish says what a sync is for.
type groupWish struct {
	// atLeast is the revision to reach. A service that does not have it is no error.
	atLeast uint32
	// silent files no entries: what is found is the result of a command, or the beginning.
	silent bool
	// own is a revision that a command has tried to make: where it came about by this account, it is no news.
	own uint32
	// full fetches the state even where the log would do, and with it new endorsements.
	full bool
}

// sync brings a group up to date with the service, which may be one that was never heard of. Where another sync of the
// group began meanwhile, its result is taken if it reaches the revision. model.ErrNotLinked, and those of package service;
// group.ErrState for a state that cannot be true. That the account is not in the group is no error, but a standing.
func (k *groupKeeper) sync(ctx context.Context, key zkgroup.MasterKey, atLeast uint32) (*knownGroup, error) {
	return k.syncFor(ctx, key, groupWish{atLeast: atLeast})
}

func (k *groupKeeper) syncFor(ctx context.Context, key zkgroup.MasterKey, wish groupWish) (*knownGroup, error) {
	params := k.params(key)
	id := params.GroupID()
	asked := k.syncsBegun()
	release, err := k.exclusive(ctx, id)
	if err != nil {
		return nil, &service.NetworkError{Err: err}
	}
	defer release()
	if k.lastSync(id) > asked && !wish.full {
		known, err := k.read(params)
		if err == nil && known.record.GetRevision() >= wish.atLeast {
			return known, nil
		}
	}
	return k.syncHolding(ctx, key, wish)
}

// syncHolding is syncFor for who holds the group already (exclusive).
func (k *groupKeeper) syncHolding(ctx context.Context, key zkgroup.MasterKey, wish groupWish) (*knownGroup, error) {
	s := &groupSync{groupKeeper: k, params: k.params(key), wish: wish}
	number := k.syncBegins()
	if err := s.run(ctx); err != nil {
		s.noteFailure(err)
		return nil, err
	}
	k.syncEnded(s.params.GroupID(), number)
	return s.known, nil
}

// syncsBegun counts the syncs so far, of all groups.
func (k *groupKeeper) syncsBegun() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.begun
}

func (k *groupKeeper) syncBegins() uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.begun++
	return k.begun
}

// lastSync is the number of the last sync of a group that succeeded. One that had begun before a question may have
// missed what the question is about.
func (k *groupKeeper) lastSync(id zkgroup.GroupID) uint64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.finished[id]
}

func (k *groupKeeper) syncEnded(id zkgroup.GroupID, number uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.finished) >= maxFinished {
		clear(k.finished)
	}
	k.finished[id] = number
}

// read loads a group from the store, one that is not there as unfetched.
func (k *groupKeeper) read(params *zkgroup.GroupSecretParams) (known *knownGroup, err error) {
	err = k.store.View(func(tx *store.Tx) error {
		known, err = k.loadOrNew(tx, params)
		return err
	})
	return known, err
}

// groupSync is one sync of one group.
type groupSync struct {
	*groupKeeper
	params *zkgroup.GroupSecretParams
	wish   groupWish
	known  *knownGroup // as last read or written
	wanted uint32      // the revision that was wanted when the sync began
}

func (s *groupSync) run(ctx context.Context) (err error) {
	if s.known, err = s.read(s.params); err != nil {
		return err
	}
	s.wanted = s.known.record.GetWantedRevision()
	// What the storage service lists was there before this device: its past is no news.
	unseen := s.known.record.GetStanding() == storepb.GroupStanding_GROUP_UNFETCHED
	s.wish.silent = s.wish.silent || unseen && len(s.known.record.GetStorageId()) > 0
	if s.known.isMember() && !s.wish.full {
		err = s.follow(ctx)
		if err == nil {
			return s.finish()
		}
		if !errors.Is(err, errLogLost) {
			return err
		}
		s.log.Debug().Err(err).Msg("the state of a group is fetched anew")
	}
	if err := s.fetch(ctx); err != nil {
		return err
	}
	return s.finish()
}

// ask calls the service with today's credential, and once more with a new one where it does not take that.
func (s *groupSync) ask(ctx context.Context, call func(*service.Groups, service.GroupAuth) error) error {
	for again := false; ; again = true {
		auth, err := s.auth(ctx, s.params)
		if err != nil {
			return err
		}
		err = call(s.network.Groups(), auth)
		if !errors.Is(err, service.ErrUnauthorized) {
			return err
		}
		if again {
			return fmt.Errorf("%w, not even new ones that it has just issued for groups", err)
		}
		if err := s.credentials.forget(); err != nil {
			return err
		}
	}
}

// follow reads the log since the known revision, a page after the other.
func (s *groupSync) follow(ctx context.Context) error {
	expiry, err := s.endorsedUntil()
	if err != nil {
		return err
	}
	from := s.known.state.Revision + 1
	for range maxLogPages {
		page, err := s.logPage(ctx, from, service.GroupLogOptions{IncludeLast: true, EndorsementsExpiry: expiry})
		if errors.Is(err, service.ErrNotInGroup) {
			return fmt.Errorf("%w: %w", errLogLost, err)
		}
		if err != nil {
			return err
		}
		steps, err := s.readLog(page.Changes.GetGroupChanges())
		if err != nil {
			return err
		}
		if err := s.commit(steps); err != nil {
			return err
		}
		if !page.More {
			return s.keepEndorsements(page.Changes.GetGroupSendEndorsementsResponse())
		}
		if s.known.state.Revision+1 < page.Next {
			return errLogLost
		}
		// The service does not know what the earlier pages held (storage-service, GroupsController).
		from, expiry = page.Next, time.Time{}
	}
	return errLogLost
}

func (s *groupSync) logPage(
	ctx context.Context, from uint32, options service.GroupLogOptions,
) (page *service.GroupLogPage, err error) {
	err = s.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) error {
		page, err = groups.GroupLog(ctx, auth, from, options)
		return err
	})
	return page, err
}

// readLog decrypts changes. Those in the log carry no signature (storage-service stores them without), so that it is
// checked where there is one; the others count because the service's host says so, as for the apps (Signal-Android,
// DecryptChangeVerificationMode.alreadyTrusted).
func (s *groupSync) readLog(entries []*servicepb.GroupChanges_GroupChangeState) ([]logStep, error) {
	steps := make([]logStep, 0, len(entries))
	for _, entry := range entries {
		step := logStep{state: entry.GetGroupState()}
		if signed := entry.GetGroupChange(); len(signed.GetActions()) > 0 {
			server := s.server
			if len(signed.GetServerSignature()) == 0 {
				server = nil
			}
			change, err := group.ParseChange(signed, s.params, server)
			switch {
			case err == nil:
				step.change = &change
			case !errors.Is(err, group.ErrTooNew) || step.state == nil:
				return nil, fmt.Errorf("%w: %w", errLogLost, err)
			}
		}
		steps = append(steps, step)
	}
	if len(steps) > 0 {
		if last := &steps[len(steps)-1]; last.state != nil {
			state, err := group.Decrypt(last.state, s.params)
			if err != nil {
				return nil, err
			}
			last.opened = &state
		}
	}
	return steps, s.learnFrom(steps)
}

// fetch reads the state as it is, and, where the account has come into the group since it was last known, what the log
// tells about that.
func (s *groupSync) fetch(ctx context.Context) error {
	var response *servicepb.GroupResponse
	err := s.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) (err error) {
		response, err = groups.Group(ctx, auth)
		return err
	})
	if errors.Is(err, service.ErrNotInGroup) || errors.Is(err, service.ErrGroupBanned) || errors.Is(err, service.ErrNoGroup) {
		return s.shutOut(ctx, err)
	}
	if err != nil {
		return err
	}
	return s.take(ctx, response)
}

// take takes over the state of an answer.
func (s *groupSync) take(ctx context.Context, response *servicepb.GroupResponse) error {
	state, err := group.Decrypt(response.GetGroup(), s.params)
	if err != nil {
		return err
	}
	if s.known.fetched() && state.Revision < s.known.state.Revision {
		return fmt.Errorf("%w: revision %d comes after %d", group.ErrState, state.Revision, s.known.state.Revision)
	}
	if err := s.learnKeys(state.ProfileKeys(), nil); err != nil {
		return err
	}
	if err := s.commit(s.history(ctx, state)); errors.Is(err, errLogLost) || errors.Is(err, group.ErrState) {
		s.log.Debug().Err(err).Msg("the past of a group cannot be made out")
	} else if err != nil {
		return err
	}
	if err := s.commit([]logStep{{state: response.GetGroup(), opened: &state}}); err != nil {
		return err
	}
	return s.keepEndorsements(response.GetGroupSendEndorsementsResponse())
}

// history reads how the account came into a group in which it was not, as far as that is news. Where it cannot be had,
// the state alone has to do.
func (s *groupSync) history(ctx context.Context, state group.State) []logStep {
	self, err := s.self()
	if err != nil || s.wish.silent || isInside(s.known.record.GetStanding()) {
		return nil
	}
	me, ok := state.Member(self.ACI)
	if !ok || state.Revision < me.JoinedAt || state.Revision-me.JoinedAt >= maxHistory {
		return nil
	}
	page, err := s.logPage(ctx, me.JoinedAt, service.GroupLogOptions{IncludeFirst: true})
	if err != nil {
		s.log.Debug().Err(err).Msg("the past of a group cannot be read")
		return nil
	}
	steps, err := s.readLog(page.Changes.GetGroupChanges())
	if err != nil || len(steps) == 0 || steps[0].state == nil {
		return nil
	}
	return steps
}

// finish notes that all is known that the service has, and lets go what waited for it.
func (s *groupSync) finish() error {
	var out effects
	err := s.store.Update(func(tx *store.Tx) error {
		known, err := s.loadOrNew(tx, s.params)
		if err != nil {
			return err
		}
		out = effects{}
		record := known.record
		record.RefreshedAt, record.AttemptedAt = tx.Now().UnixMilli(), 0
		record.Failures, record.Problem = 0, ""
		later := record.WantedRevision
		record.WantedRevision, record.RefreshJob = 0, 0
		if err := tx.PutGroup(record); err != nil {
			return err
		}
		if later > s.wanted && later > record.GetRevision() { // wanted since: the service was asked too early
			if err := s.want(tx, s.params.MasterKey(), later); err != nil {
				return err
			}
			out.jobs = true
			if known, err = s.loadOrNew(tx, s.params); err != nil {
				return err
			}
			record = known.record
		}
		s.known = known
		if s.release != nil {
			if out, err = s.release(tx, known, true); err != nil {
				return err
			}
		}
		stays := known.fetched() || record.Forgotten || len(record.StorageId) > 0
		if record.Standing == storepb.GroupStanding_GROUP_LEFT && !stays {
			return tx.DeleteGroup(record.GroupId) // someone named a group that this account never saw
		}
		return nil
	})
	if err == nil {
		s.committed(out)
	}
	return err
}

// noteFailure keeps why the service's word on a group was refused. It is asked again later.
func (s *groupSync) noteFailure(cause error) {
	if !isRefusal(cause) {
		return
	}
	s.log.Warn().Err(cause).Msg("a group could not be refreshed")
	id := s.params.GroupID()
	err := s.store.Update(func(tx *store.Tx) error {
		record, err := tx.Group(id[:])
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		record.AttemptedAt, record.Problem = tx.Now().UnixMilli(), cause.Error()
		record.Failures++
		return tx.PutGroup(record)
	})
	if err != nil {
		s.log.Debug().Err(err).Msg("the failure of a group's refresh was not kept")
	}
}

// adopt takes over the state with which the service answers the creation of a group. The caller holds the group.
func (k *groupKeeper) adopt(
	ctx context.Context, key zkgroup.MasterKey, response *servicepb.GroupResponse,
) (*knownGroup, error) {
	s := &groupSync{groupKeeper: k, params: k.params(key), wish: groupWish{silent: true}}
	var err error
	if s.known, err = k.read(s.params); err != nil {
		return nil, err
	}
	if err := s.take(ctx, proto.CloneOf(response)); err != nil {
		return nil, err
	}
	return s.known, s.finish()
}
