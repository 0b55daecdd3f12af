package signalcore

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/store"
)

// maxRevisions is how often a change is built anew after someone else was faster, or an answer was lost.
const maxRevisions = 5

// groupEdit is a command's work on one group, which it holds meanwhile: no sync takes the command's own change for
// someone else's.
type groupEdit struct {
	*groupKeeper
	self   group.Identity
	params *zkgroup.GroupSecretParams
	known  *knownGroup // as last read or written
	intent uint64      // the job that looks whether a change came about; 0 for none
}

// edit runs a command's work on a group.
func (k *groupKeeper) edit(ctx context.Context, params *zkgroup.GroupSecretParams, work func(*groupEdit) error) error {
	self, err := k.self()
	if err != nil {
		return err
	}
	release, err := k.exclusive(ctx, params.GroupID())
	if err != nil {
		return &model.CutShortError{Departure: model.NotLeft, Err: err}
	}
	defer release()
	defer k.editing(params.GroupID())()
	known, err := k.read(params)
	if err != nil {
		return storageError(err)
	}
	e := &groupEdit{groupKeeper: k, self: self, params: params, known: known}
	err = work(e)
	return storageError(errors.Join(err, e.settleIntent(err)))
}

// editing notes that a command is at work on a group, and returns what ends that.
func (k *groupKeeper) editing(id zkgroup.GroupID) (done func()) {
	set := func(busy bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if busy {
			k.edited[id] = true
		} else {
			delete(k.edited, id)
		}
	}
	set(true)
	return func() { set(false) }
}

func (k *groupKeeper) isEdited(id zkgroup.GroupID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.edited[id]
}

// editByID is edit for a group that is known here. One whose state was never fetched is fetched first.
func (k *groupKeeper) editByID(ctx context.Context, id []byte, work func(*groupEdit) error) error {
	known, err := k.byID(id)
	if err != nil {
		return err
	}
	return k.edit(ctx, known.params, func(e *groupEdit) error {
		if e.known.record.GetForgotten() {
			return model.ErrGroupNotFound
		}
		if !e.known.fetched() && membershipOf(e.known.record.GetStanding()) == model.GroupUnfetched {
			if err := e.refetch(ctx, 0); err != nil {
				return err
			}
		}
		return work(e)
	})
}

// buildRevision makes the actions of a revision of a state; nil where nothing is to be done.
type buildRevision func(group.State) (*servicepb.GroupChange_Actions, error)

// revise makes one revision: it builds the actions from the state as it is known, hands them to the service, and takes
// over the signed change of its answer. Where someone else was faster, the state is fetched and the actions are built
// anew. So it is where an answer was lost: what was done after all is found done, and nothing is done twice. Rules that
// are against the wish are looked at once more with the service's state.
func (e *groupEdit) revise(ctx context.Context, build buildRevision) error {
	var last error
	for try := range maxRevisions {
		actions, err := build(e.known.state)
		if err != nil && try == 0 {
			actions, err = e.buildAgain(ctx, build, err)
		}
		if err != nil {
			return err
		}
		if actions == nil {
			return e.foundDone(last)
		}
		before := e.known.state
		answer, err := e.modify(ctx, actions, nil)
		if err == nil {
			return e.keep(ctx, before, answer)
		}
		again := isSame(last, err) && !errors.Is(err, service.ErrGroupConflict)
		if last = err; !mayHelpToRefetch(err) || again {
			return err
		}
		if err := e.afterFailure(ctx, actions.GetVersion(), last); err != nil {
			return err
		}
	}
	return last
}

// buildAgain builds on the service's state what the known one does not allow, where that is another.
func (e *groupEdit) buildAgain(
	ctx context.Context, build buildRevision, refused error,
) (*servicepb.GroupChange_Actions, error) {
	before := e.known.state.Revision
	if err := e.refetch(ctx, 0); err != nil || e.known.state.Revision == before {
		return nil, refused
	}
	return build(e.known.state)
}

// mayHelpToRefetch tells the failures after which the newer state decides: the group is another than was thought, or the
// answer was lost.
func mayHelpToRefetch(err error) bool {
	for _, refusal := range []error{
		service.ErrGroupConflict, service.ErrGroupRejected, service.ErrGroupForbidden, service.ErrNotInGroup,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return isLostAnswer(err)
}

// isLostAnswer reports whether the service may have done what it was asked to.
func isLostAnswer(err error) bool {
	var network *service.NetworkError
	var status *service.StatusError
	return errors.As(err, &network) && network.MayHaveLeft || errors.As(err, &status) && status.Temporary() ||
		errors.Is(err, service.ErrProtocol)
}

// isSame tells a refusal that comes a second time, after the state was fetched: it is meant.
func isSame(last, err error) bool {
	return last != nil && !isLostAnswer(err) && errors.Is(last, err)
}

// afterFailure fetches the state. Where the command has no time left for that, the job of the intent does it.
func (e *groupEdit) afterFailure(ctx context.Context, attempted uint32, cause error) error {
	if ctx.Err() != nil {
		return cutShortBy(ctx, cause)
	}
	if err := e.refetch(ctx, attempted); err != nil {
		if ctx.Err() != nil {
			return cutShortBy(ctx, cause)
		}
		return errors.Join(cause, err)
	}
	return nil
}

// cutShortBy says how far a change had come when its command ended.
func cutShortBy(ctx context.Context, cause error) error {
	departure := model.NotLeft
	if isLostAnswer(cause) {
		departure = model.MayHaveLeft
	}
	return &model.CutShortError{Departure: departure, Err: context.Cause(ctx)}
}

// refetch follows the group to the service's state. Own is the revision that this command tried to make: it is no news.
func (e *groupEdit) refetch(ctx context.Context, own uint32) error {
	known, err := e.syncHolding(ctx, e.params.MasterKey(), groupWish{own: own})
	if err != nil {
		return err
	}
	e.known = known
	return nil
}

// modify hands a revision to the service. A credential that it does not take is replaced once.
func (e *groupEdit) modify(
	ctx context.Context, actions *servicepb.GroupChange_Actions, password []byte,
) (answer *servicepb.GroupChangeResponse, err error) {
	if err := e.intend(actions.GetVersion()); err != nil {
		return nil, err
	}
	err = e.ask(ctx, func(groups *service.Groups, auth service.GroupAuth) error {
		answer, err = groups.ModifyGroup(ctx, auth, actions, password)
		return err
	})
	return answer, err
}

func (e *groupEdit) ask(ctx context.Context, call func(*service.Groups, service.GroupAuth) error) error {
	return (&groupSync{groupKeeper: e.groupKeeper, params: e.params}).ask(ctx, call)
}

// keep takes over the change that the service has signed, and writes with it what tells the others. The receiver may have
// been told by one of them already.
func (e *groupEdit) keep(ctx context.Context, before group.State, answer *servicepb.GroupChangeResponse) error {
	signed, err := proto.Marshal(answer.GetGroupChange())
	if err != nil {
		return fmt.Errorf("keep a group's change: %w", err)
	}
	err = e.advanceBy(signed, before)
	switch {
	case errors.Is(err, group.ErrRevision):
		err = e.announce(before, signed)
	case isUnusable(err):
		e.log.Warn().Err(err).Msg("the service's answer to a group's change cannot be used: its state is fetched")
		if err = e.refetch(ctx, e.known.state.Revision+1); err == nil {
			err = e.announce(before, nil)
		}
	}
	if err != nil {
		return err
	}
	s := &groupSync{groupKeeper: e.groupKeeper, params: e.params, known: e.known}
	if err := s.keepEndorsements(answer.GetGroupSendEndorsementsResponse()); err != nil {
		e.log.Warn().Err(err).Msg("the endorsements for a group's members were not kept")
	}
	return nil
}

// isUnusable tells a change that does not lead from the known state to the service's.
func isUnusable(err error) bool {
	for _, fault := range []error{
		group.ErrNotApplicable, group.ErrTooNew, group.ErrState, group.ErrMalformed, group.ErrSignature, errUnfetched,
	} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}

// advanceBy applies the change, in the transaction that queues what tells of it.
func (e *groupEdit) advanceBy(signed []byte, before group.State) error {
	return e.telling(func(tx *store.Tx, known *knownGroup) (effects, error) {
		out, err := e.apply(tx, known, signed, groupOrigin{silent: true})
		if err != nil {
			return out, err
		}
		return out, e.tell(tx, known, groupNews{before: before, signed: signed, instead: e.intent})
	})
}

// announce tells the others of a revision that is known here already.
func (e *groupEdit) announce(before group.State, signed []byte) error {
	return e.telling(func(tx *store.Tx, known *knownGroup) (effects, error) {
		return effects{}, e.tell(tx, known, groupNews{before: before, signed: signed, instead: e.intent})
	})
}

// telling is update for what replaces the intent.
func (e *groupEdit) telling(change func(*store.Tx, *knownGroup) (effects, error)) error {
	err := e.update(change)
	if err == nil {
		e.intent = 0
	}
	return err
}

// foundDone is for a wish that is fulfilled without this try: where an answer was lost, it was fulfilled by the try before,
// and nobody was told.
func (e *groupEdit) foundDone(last error) error {
	if last == nil || !isLostAnswer(last) || !e.known.fetched() {
		return nil
	}
	return e.announce(e.known.state, nil)
}

// update changes the group in the store, and tells what is new of it.
func (e *groupEdit) update(change func(*store.Tx, *knownGroup) (effects, error)) error {
	var out effects
	var known *knownGroup
	err := e.store.Update(func(tx *store.Tx) (err error) {
		if known, err = e.loadOrNew(tx, e.params); err != nil {
			return err
		}
		out, err = change(tx, known)
		return err
	})
	if err != nil {
		if again, readErr := e.read(e.params); readErr == nil {
			e.known = again
		}
		return err
	}
	e.known, out.jobs = known, true
	e.committed(out)
	return nil
}

// share has the account's profile shared with a group that it has come into by its own will, and the record of the group
// written for the account's other devices.
func (e *groupEdit) share() error {
	return e.update(func(tx *store.Tx, known *knownGroup) (effects, error) {
		known.record = proto.CloneOf(known.record)
		known.record.Whitelisted = true
		if err := tx.PutGroup(known.record); err != nil {
			return effects{}, err
		}
		return effects{}, e.publish(tx, known)
	})
}

// result is the reply of a command.
func (e *groupEdit) result() model.GroupResult { return model.GroupResult{Group: e.model(e.known)} }
