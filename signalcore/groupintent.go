package signalcore

import (
	"context"
	"errors"
	"time"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// Between the service's taking a change and the transaction that keeps it, the daemon can be cut short. So that the group
// is not left behind then, and the others are told, an intent is on disk before the change is asked for: a job that looks
// whether it came about. What keeps the change takes its place.

// intentPause is when the job looks at the earliest: by then, most commands have ended and taken it away.
const intentPause = 5 * time.Second

// intend writes the intent to make a revision, unless there is one of this command already.
func (e *groupEdit) intend(revision uint32) error {
	if e.intent != 0 {
		return nil
	}
	key := e.params.MasterKey()
	return e.store.Update(func(tx *store.Tx) (err error) {
		e.intent, err = addGroupUpdate(tx, &storepb.GroupUpdate{
			MasterKey: key[:], Revision: revision, Intended: true,
		}, intentPause)
		return err
	})
}

// settleIntent takes the intent away at the end of a command, unless it is not known what came of it.
func (e *groupEdit) settleIntent(outcome error) error {
	if e.intent == 0 {
		return nil
	}
	short := &model.CutShortError{}
	if isLostAnswer(outcome) || errors.As(outcome, &short) && short.Departure == model.MayHaveLeft {
		e.outbox.wakeJobs()
		return nil
	}
	return e.store.Update(func(tx *store.Tx) error { return tx.DeleteJob(e.intent) })
}

// lookForIntended fetches a group of which a command has wanted to make a revision, and has the others told where there is
// one. While a command is at work on the group, its time has not come.
func (k *groupKeeper) lookForIntended(
	ctx context.Context, update *storepb.GroupUpdate, params *zkgroup.GroupSecretParams,
) error {
	if k.isEdited(params.GroupID()) {
		return errUntried
	}
	known, err := k.sync(ctx, params.MasterKey(), 0)
	if err != nil {
		return err
	}
	if !known.isMember() || known.state.Revision < update.GetRevision() {
		return nil
	}
	err = k.store.Update(func(tx *store.Tx) error {
		return k.tell(tx, known, groupNews{before: group.State{}})
	})
	if err == nil {
		k.outbox.wakeJobs()
	}
	return err
}
