package signalcore

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// maxSecrets bounds the derived keys of groups that are kept in memory.
	maxSecrets = 256
	// maxFinished bounds what is remembered of syncs that are over.
	maxFinished = 1024
)

// errUnfetched is for what needs a group's state, where only its key is known.
var errUnfetched = errors.New("the state of the group was never fetched")

// groupKeeper knows the account's groups: it fetches them, follows their changes, and files these into the inbox.
//
// There are two ways in which a state gets newer. sync asks the service; apply takes the one signed change that a
// message carries, without asking anyone. Both end in the transaction that writes the state together with the entries of
// what changed, so that each change enters the inbox once, wherever the daemon is cut short. The receiver's apply does
// not wait for a sync: in its transactions, sync passes over what was applied meanwhile.
type groupKeeper struct {
	*Client
	server      *zkgroup.ServerPublicParams
	credentials *groupCredentials
	locks       *keyLocks // by group id: syncs, and the changes that commands make
	// release, where set, is called in each transaction that writes a group's state, for what waited for it. complete
	// says that this is all that the service has: nothing newer will come by waiting.
	release func(tx *store.Tx, known *knownGroup, complete bool) (effects, error)

	mu       sync.Mutex
	secrets  map[zkgroup.MasterKey]*zkgroup.GroupSecretParams
	own      *zkgroup.ProfileKeyCredential // by which this account comes into groups; nil unless fetched
	edited   map[zkgroup.GroupID]bool      // by a command that is under way
	finished map[zkgroup.GroupID]uint64    // the number of the last sync of each
	begun    uint64                        // counts syncs
}

func newGroupKeeper(c *Client) (*groupKeeper, error) {
	server, err := zkgroup.ParseServerPublicParams(c.config.Environment.ZKServerPublicParams)
	if err != nil {
		return nil, fmt.Errorf("zkServerPublicParams: %w", err)
	}
	return &groupKeeper{
		Client: c, server: server, credentials: &groupCredentials{Client: c, server: server}, locks: newKeyLocks(),
		secrets:  make(map[zkgroup.MasterKey]*zkgroup.GroupSecretParams),
		finished: make(map[zkgroup.GroupID]uint64), edited: make(map[zkgroup.GroupID]bool),
	}, nil
}

// knownGroup is a group with its keys.
type knownGroup struct {
	record *storepb.Group
	state  group.State // zero unless fetched
	params *zkgroup.GroupSecretParams
}

// fetched reports whether the state is known: at some time, this account was let see it.
func (g *knownGroup) fetched() bool { return len(g.record.GetState()) > 0 }

// id is the group's identifier, as the store and the socket have it.
func (g *knownGroup) id() []byte { return g.record.GetGroupId() }

// isMember reports whether the account is a full member.
func (g *knownGroup) isMember() bool {
	return g.fetched() && g.record.GetStanding() == storepb.GroupStanding_GROUP_MEMBER
}

// params derives a group's keys, or finds them derived.
func (k *groupKeeper) params(key zkgroup.MasterKey) *zkgroup.GroupSecretParams {
	k.mu.Lock()
	defer k.mu.Unlock()
	if known := k.secrets[key]; known != nil {
		return known
	}
	if len(k.secrets) >= maxSecrets {
		clear(k.secrets)
	}
	derived := zkgroup.DeriveGroupSecretParams(key)
	k.secrets[key] = derived
	return derived
}

// load reads a group by its id. model.ErrGroupNotFound is for one that nobody ever told of.
func (k *groupKeeper) load(tx *store.Tx, id []byte) (*knownGroup, error) {
	record, err := tx.Group(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, model.ErrGroupNotFound
	}
	if err != nil {
		return nil, err
	}
	if record.GetForgotten() {
		return nil, model.ErrGroupNotFound
	}
	return k.open(record)
}

// open reads what a record holds.
func (k *groupKeeper) open(record *storepb.Group) (*knownGroup, error) {
	key, err := zkgroup.ParseMasterKey(record.GetMasterKey())
	if err != nil {
		return nil, &store.CorruptError{Kind: "group", Err: err}
	}
	known := &knownGroup{record: record, params: k.params(key)}
	if known.fetched() {
		if known.state, err = group.Unmarshal(record.GetState()); err != nil {
			return nil, &store.CorruptError{Kind: "group", Err: err}
		}
	}
	return known, nil
}

// loadOrNew reads a group by its keys, also one that was deleted here. One that nobody told of before comes as unfetched,
// and is not stored yet.
func (k *groupKeeper) loadOrNew(tx *store.Tx, params *zkgroup.GroupSecretParams) (*knownGroup, error) {
	id, key := params.GroupID(), params.MasterKey()
	record, err := tx.Group(id[:])
	if errors.Is(err, store.ErrNotFound) {
		return &knownGroup{record: &storepb.Group{GroupId: id[:], MasterKey: key[:]}, params: params}, nil
	}
	if err != nil {
		return nil, err
	}
	return k.open(record)
}

// self is this account as the groups know it.
func (k *groupKeeper) self() (group.Identity, error) {
	a, err := k.accounts.working()
	if err != nil {
		return group.Identity{}, err
	}
	return group.Identity{ACI: a.aci, PNI: a.pni}, nil
}

// exclusive waits until nobody else syncs or changes a group, and returns what ends the own turn. A command that changes
// a group holds it from the request to the service until apply has saved the answer: so no sync takes its own change for
// someone else's.
func (k *groupKeeper) exclusive(ctx context.Context, id zkgroup.GroupID) (release func(), err error) {
	return k.locks.lock(ctx, string(id[:]))
}

// want has a group refreshed soon, at least to a revision. One job does for many that want it. The caller wakes the outbox
// once it has committed (effects.jobs).
func (k *groupKeeper) want(tx *store.Tx, key zkgroup.MasterKey, revision uint32) error {
	known, err := k.loadOrNew(tx, k.params(key))
	if err != nil {
		return err
	}
	record := known.record
	if record.RefreshJob != 0 {
		_, err := tx.Job(record.RefreshJob)
		if err == nil && record.WantedRevision >= revision {
			return nil
		}
		if err == nil {
			record.WantedRevision = revision
			return tx.PutGroup(record)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	payload, err := proto.Marshal(&storepb.GroupRefresh{MasterKey: key[:], Revision: revision})
	if err != nil {
		return err
	}
	job := &storepb.Job{Kind: storepb.JobKind_JOB_GROUP_REFRESH, Payload: payload}
	if err := tx.AddJob(job); err != nil {
		return err
	}
	record.RefreshJob, record.WantedRevision = job.Id, max(revision, record.WantedRevision)
	return tx.PutGroup(record)
}
