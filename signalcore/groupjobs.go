package signalcore

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// Groups that are known by their keys alone are fetched unfetchedAtOnce in a round of the upkeep.
	unfetchedAtOnce = 25
	// unfetchedRetry is how long a group rests whose state was refused, times the failures; unfetchedLongest at most.
	unfetchedRetry   = time.Hour
	unfetchedLongest = 24 * time.Hour
	// requestingEvery is how often to look whether a request to join was decided upon: nobody tells who is turned down.
	requestingEvery  = time.Hour
	credentialsEvery = time.Hour
)

// refresh does a job that want has written.
func (k *groupKeeper) refresh(ctx context.Context, job *storepb.Job) error {
	var wanted storepb.GroupRefresh
	if err := proto.Unmarshal(job.GetPayload(), &wanted); err != nil {
		return err
	}
	key, err := zkgroup.ParseMasterKey(wanted.GetMasterKey())
	if err != nil {
		return nil //nolint:nilerr // it names no group
	}
	known, err := k.read(k.params(key))
	if err != nil {
		return err
	}
	if known.record.GetRefreshJob() != job.Id {
		return nil // it was forgotten since, or refreshed for another reason
	}
	_, err = k.sync(ctx, key, max(wanted.GetRevision(), known.record.GetWantedRevision()))
	return err
}

// fetchSome fetches a few of the groups that were never fetched by this link of the device, or that the account waits to be
// let into, and reports whether there are more.
func (k *groupKeeper) fetchSome(ctx context.Context) (more bool, err error) {
	keys, err := k.unsettled()
	if err != nil {
		return false, err
	}
	for i, key := range keys {
		if i == unfetchedAtOnce {
			return true, nil
		}
		_, err := k.sync(ctx, key, 0)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || !isRefusal(err) {
			return false, err
		}
	}
	return false, nil
}

// unsettled lists those groups whose time has come.
func (k *groupKeeper) unsettled() (keys []zkgroup.MasterKey, err error) {
	now := k.config.Now()
	err = k.store.View(func(tx *store.Tx) error {
		return tx.Groups(func(g *storepb.Group) error {
			if g.GetForgotten() || !isDue(g, now) {
				return nil
			}
			key, err := zkgroup.ParseMasterKey(g.GetMasterKey())
			if err == nil {
				keys = append(keys, key)
			}
			return nil //nolint:nilerr // a record without a key cannot be fetched
		})
	})
	return keys, err
}

// isDue reports whether a group is to be fetched without anyone asking.
func isDue(g *storepb.Group, now time.Time) bool {
	rest := min(time.Duration(min(g.GetFailures(), 24))*unfetchedRetry, unfetchedLongest)
	if now.Sub(time.UnixMilli(g.GetAttemptedAt())) < rest {
		return false
	}
	waits := g.GetStanding() == storepb.GroupStanding_GROUP_REQUESTING
	return g.GetRefreshedAt() == 0 || waits && now.Sub(time.UnixMilli(g.GetRefreshedAt())) >= requestingEvery
}

// isRefusal reports whether what the service said of a group is to blame for a failure, rather than the way to it.
func isRefusal(err error) bool {
	var status *service.StatusError
	return errors.Is(err, group.ErrState) || errors.Is(err, group.ErrMalformed) || errors.Is(err, errLogLost) ||
		errors.Is(err, service.ErrProtocol) || errors.Is(err, store.ErrRecordTooBig) ||
		errors.As(err, &status) && !status.Temporary()
}
