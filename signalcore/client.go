// Package signalcore is a Signal client for one account: it links to the account, receives into a durable inbox, and
// sends, over the packages below it.
//
// Client is the public face. Open reads the data directory, Run owns everything that runs, and the other methods may be
// called from any goroutine meanwhile. How a command names things, JSON, and sockets are not here.
package signalcore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/inbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/store"
)

// Config says where a client keeps its state, and which service it talks to.
type Config struct {
	DataDir     string
	Environment *environment.Environment
	Logger      zerolog.Logger
	// Version is of this build, for the service and for what is put into quarantine.
	Version string

	InboxMaxBytes int64
	InboxMaxAge   time.Duration
	StoreCache    int64
	StoreKey      []byte

	// Progress, where set, is called by the receive loop's own goroutine: on each of its turns, and every ProgressEvery
	// (10 s where zero) while it waits, be it for messages, for a connection or for an account. A loop that hangs does
	// not call it. It must return at once.
	Progress      func()
	ProgressEvery time.Duration

	// Now and Rand are for tests; time.Now and crypto/rand where nil.
	Now  func() time.Time
	Rand io.Reader
	// Code gives a status code to what the store keeps of a failed send; package statuscodes has it.
	Code func(error) int
}

// Client is one account. It implements commands.Signal.
type Client struct {
	config   Config
	log      zerolog.Logger
	store    *store.Store
	inbox    *inbox.Inbox
	network  *service.Network
	accounts *accountHolder
	events   *eventHub

	connector *connector
	receiver  *receiver
	sender    *sender
	outbox    *outbox
	upkeep    *upkeep
	groups    *groupKeeper
	fetcher   *fetcher
	linker    *linker
	readers   *readers
	health    *health
	progress  *progress
	firstSync *firstSync
	transfers *transfers
}

// Open opens the data directory. Its errors are those of store.Open, wrapped.
func Open(config Config) (*Client, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Rand == nil {
		config.Rand = rand.Reader
	}
	roots, err := trustRoots(config.Environment)
	if err != nil {
		return nil, err
	}
	st, err := store.Open(config.DataDir, store.Options{
		CacheBytes: config.StoreCache, EncryptionKey: config.StoreKey, Logger: config.Logger, Now: config.Now,
	})
	if err != nil {
		return nil, err
	}
	c := &Client{config: config, log: config.Logger, store: st, accounts: newAccountHolder()}
	if err := c.assemble(roots); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return c, nil
}

func trustRoots(env *environment.Environment) ([]curve.PublicKey, error) {
	var roots []curve.PublicKey
	for _, serialized := range env.SealedSenderTrustRoots {
		root, err := curve.ParsePublicKey(serialized)
		if err != nil {
			return nil, fmt.Errorf("sealedSenderTrustRoots: %w", err)
		}
		roots = append(roots, root)
	}
	return roots, nil
}

// assemble makes the parts and tells each what it needs of the others.
func (c *Client) assemble(roots []curve.PublicKey) (err error) {
	c.inbox, err = inbox.Open(c.store, inbox.Options{
		MaxBytes: c.config.InboxMaxBytes, MaxAge: c.config.InboxMaxAge, Logger: c.log, Rand: c.config.Rand,
	})
	if err != nil {
		return err
	}
	c.network, err = service.NewNetwork(c.config.Environment, service.Options{
		UserAgent: "signalbox/" + c.config.Version, Logger: c.log,
	})
	if err != nil {
		return err
	}
	if err := c.reloadAccount(); err != nil {
		return err
	}
	c.events = newEventHub()
	c.health = newHealth(c.config.Now)
	c.progress = newProgress(c.config)
	c.firstSync, c.transfers = &firstSync{}, newTransfers()
	c.connector = newConnector(c.network, c.accounts, c.log, c.config.Now)
	c.connector.progress = c.progress
	c.connector.onState = func(e model.ConnectionEvent) { c.events.publish(model.Event{Connection: &e}) }
	c.connector.onReject = c.markUnlinked
	c.connector.onFailure = c.health.fail
	c.receiver = &receiver{
		store: c.store, inbox: c.inbox, accounts: c.accounts, trust: sealedsender.NewTrust(roots...),
		log: c.log, now: c.config.Now, version: c.config.Version, progress: c.progress,
		pausing: c.connector.pause, drained: c.queueDrained, done: c.committed, failed: c.health.fail,
	}
	if c.groups, err = newGroupKeeper(c); err != nil {
		return err
	}
	c.receiver.groups, c.groups.release = c.groups, c.receiver.release
	c.sender = newSender(c)
	c.outbox = newOutbox(c)
	c.upkeep = newUpkeep(c)
	c.fetcher = newFetcher(c)
	c.linker = newLinker(c)
	c.readers = newReaders(c)
	return nil
}

// Run connects, receives, and keeps the account in order until ctx ends. It returns when everything that it started is
// gone. Without an account it waits for one to be linked.
func (c *Client) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { c.connector.run(ctx, c.serveLine) })
	running.Go(func() { c.outbox.run(ctx) })
	running.Go(func() { c.upkeep.run(ctx) })
	running.Go(func() { c.fetcher.run(ctx) })
	running.Wait()
	c.linker.close()
}

// serveLine runs what belongs to one connection: the receiver, until the connection ends.
func (c *Client) serveLine(ctx context.Context, l *line) error {
	c.firstSync.drained.Store(false)
	c.outbox.wake()
	c.upkeep.connected()
	c.fetcher.wake()
	return c.receiver.serve(ctx, l)
}

// Close closes the store. Run must have returned.
func (c *Client) Close() error {
	c.network.Close()
	return c.store.Close()
}

// committed looks at what a received batch left to do.
func (c *Client) committed(e effects) {
	c.firstSync.received(e.messages)
	if e.account {
		if err := c.reloadAccount(); err != nil {
			c.log.Error().Err(err).Msg("the account could not be read again")
		}
	}
	if e.attachments {
		c.fetcher.wake()
	}
	if e.jobs || e.receipts {
		c.outbox.wakeJobs()
	}
	for _, identity := range e.identities {
		c.events.publish(model.Event{Identity: &identity})
	}
}

// queueDrained is called when the service has delivered all that waited there.
func (c *Client) queueDrained() {
	c.firstSync.drained.Store(true)
	c.upkeep.checkPreKeys()
}

// reloadAccount reads the account from the store into the picture that everyone uses.
func (c *Client) reloadAccount() error {
	var current *account
	err := c.store.View(func(tx *store.Tx) error {
		record, err := tx.Account()
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		current, err = newAccount(record)
		return err
	})
	if err == nil {
		c.accounts.set(current)
	}
	return err
}

// markUnlinked notes that the service knows this device no more. All state is kept, for linking again.
func (c *Client) markUnlinked(reason string) error {
	err := c.store.Update(func(tx *store.Tx) error {
		record, err := tx.Account()
		if err != nil {
			return err
		}
		record.Unlinked, record.UnlinkedWhy = true, reason
		record.UnlinkedAt = c.config.Now().UnixMilli()
		return tx.PutAccount(record)
	})
	if err != nil {
		return err
	}
	return c.reloadAccount()
}
