package signalcore

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"signalbox/signalcore/content/provisioningcipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// linkOpening bounds the time to get a linking URI.
	linkOpening = 30 * time.Second
	// linkWaiting is longer than the service leaves a provisioning socket open, which is what mostly ends the wait.
	linkWaiting = 15 * time.Minute
	// linkFinishing bounds the steps after the scan.
	linkFinishing = time.Minute
	// sessionMemory is for how long the outcome of a linking session is remembered.
	sessionMemory = 10 * time.Minute
)

// linker links this device to an account. It has one provisioning session at most: a new one takes the place of the
// one before, whose URI is worth nothing from then on.
type linker struct {
	*Client
	ctx    context.Context // of the sessions' goroutines
	cancel context.CancelFunc
	opened sync.Mutex // held while a session is opened

	mu       sync.Mutex
	current  *linkSession
	ended    bool
	sessions sync.WaitGroup
}

// linkSession is one URI and what comes of it.
type linkSession struct {
	uri        string
	keys       curve.KeyPair
	deviceName string
	progress   func(model.LinkStep)
	link       *service.Link
	cancel     context.CancelFunc
	scanned    chan struct{} // closed once envelope or scanErr is set
	envelope   *servicepb.ProvisionEnvelope
	scanErr    error

	finish   sync.Once
	finished chan struct{} // closed once account or err is set
	account  model.Account
	err      error
	endedAt  time.Time
}

func newLinker(c *Client) *linker {
	ctx, cancel := context.WithCancel(context.Background())
	return &linker{Client: c, ctx: ctx, cancel: cancel}
}

// close ends what is under way and waits for it.
func (l *linker) close() {
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
	l.cancel()
	l.sessions.Wait()
}

// StartLink opens a provisioning session and returns the URI for the primary device to scan.
func (c *Client) StartLink(ctx context.Context, options model.LinkOptions) (string, error) {
	return c.linker.start(ctx, options)
}

// FinishLink waits for the scan, links, and returns the account. The linking itself goes on when ctx ends; to ask again
// gives its outcome.
func (c *Client) FinishLink(ctx context.Context, uri string) (model.Account, error) {
	return c.linker.await(ctx, uri)
}

func (l *linker) start(ctx context.Context, options model.LinkOptions) (string, error) {
	if l.accounts.get().working() {
		return "", model.ErrAlreadyLinked
	}
	l.opened.Lock()
	defer l.opened.Unlock()
	keys, err := curve.GenerateKeyPair(l.config.Rand)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, linkOpening)
	defer cancel()
	link, err := l.network.Dial(ctx)
	if err != nil {
		return "", err
	}
	s := &linkSession{
		keys: keys, deviceName: deviceName(options.DeviceName), progress: options.Progress, link: link,
		scanned: make(chan struct{}), finished: make(chan struct{}),
	}
	socket, err := s.open(ctx)
	if err == nil && !l.adopt(s, socket) {
		err = model.ErrShuttingDown
	}
	if err != nil {
		_ = link.Close()
		return "", err
	}
	return s.uri, nil
}

// open gets the session's address, and with it the URI (Signal-Desktop ts/util/signalRoutes.std.ts, linkDevice). We name
// no capability: the only one, a transfer of the message history, is not for us.
func (s *linkSession) open(ctx context.Context) (*service.Provisioning, error) {
	socket, err := s.link.OpenProvisioning(ctx)
	if err != nil {
		return nil, err
	}
	address, err := socket.Address(ctx)
	if err != nil {
		return nil, err
	}
	query := "uuid=" + url.QueryEscape(address) +
		"&pub_key=" + url.QueryEscape(base64.StdEncoding.EncodeToString(s.keys.Public.Serialize())) +
		"&capabilities="
	s.uri = (&url.URL{Scheme: "sgnl", Host: "linkdevice", RawQuery: query}).String()
	return socket, nil
}

// tell reports a step to whoever follows the session.
func (s *linkSession) tell(step model.LinkStep) {
	if s.progress != nil {
		s.progress(step)
	}
}

// adopt makes a session the current one and has it wait for the scan.
func (l *linker) adopt(s *linkSession, socket *service.Provisioning) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	if l.current != nil {
		l.current.cancel()
	}
	l.current = s
	var ctx context.Context
	ctx, s.cancel = context.WithTimeout(l.ctx, linkWaiting)
	l.sessions.Go(func() {
		defer s.cancel()
		defer s.link.Close() //nolint:errcheck // it has served
		s.envelope, s.scanErr = socket.Envelope(ctx)
		close(s.scanned)
	})
	return true
}

// await finds the session of a URI and waits for its outcome.
func (l *linker) await(ctx context.Context, uri string) (model.Account, error) {
	s := l.session(uri)
	if s == nil {
		return model.Account{}, fmt.Errorf("this linking URI is not in use any more, start anew: %w", model.ErrNotFound)
	}
	select {
	case <-s.scanned:
	case <-ctx.Done():
		return model.Account{}, ctx.Err()
	}
	if s.scanErr != nil {
		l.log.Info().Err(s.scanErr).Msg("linking: no device has scanned the code")
		return model.Account{}, fmt.Errorf("the linking session has ended before the code was scanned, start anew: %w",
			model.ErrNotFound)
	}
	if !l.begin(s) {
		return model.Account{}, model.ErrShuttingDown
	}
	select {
	case <-s.finished:
		return s.account, s.err
	case <-ctx.Done():
		return model.Account{}, ctx.Err()
	}
}

func (l *linker) session(uri string) *linkSession {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.current
	if s == nil || s.uri != uri {
		return nil
	}
	if !s.endedAt.IsZero() && l.config.Now().Sub(s.endedAt) > sessionMemory {
		l.current = nil
		return nil
	}
	return s
}

// begin starts the linking after a scan, once.
func (l *linker) begin(s *linkSession) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return false
	}
	s.finish.Do(func() {
		l.sessions.Go(func() {
			s.tell(model.LinkScanned)
			ctx, cancel := context.WithTimeout(l.ctx, linkFinishing)
			defer cancel()
			s.account, s.err = l.provision(ctx, s)
			if s.err != nil {
				l.log.Warn().Err(s.err).Msg("linking failed")
			}
			l.mu.Lock()
			s.endedAt, s.keys, s.envelope = l.config.Now(), curve.KeyPair{}, nil
			l.mu.Unlock()
			close(s.finished)
		})
	})
	return true
}

// provision does what follows a scan: it reads what the primary sent, links, and saves.
func (l *linker) provision(ctx context.Context, s *linkSession) (model.Account, error) {
	if l.accounts.get().working() {
		return model.Account{}, model.ErrAlreadyLinked
	}
	message, err := provisioningcipher.Decrypt(s.keys.Private, s.envelope)
	if err != nil {
		return model.Account{}, err
	}
	p, err := newProvision(message, l.config.Rand, l.config.Now())
	if err != nil {
		return model.Account{}, err
	}
	p.deviceName = s.deviceName
	if err := l.sameAccount(p); err != nil {
		return model.Account{}, err
	}
	generate := func(tx *store.Tx) error { return p.generate(l.config.Rand, tx) }
	if err := l.store.View(generate); err != nil {
		return model.Account{}, err
	}
	if err := l.linkDevice(ctx, p, s); err != nil {
		return model.Account{}, err
	}
	a := l.accounts.get()
	l.log.Info().Str("account", a.aci.Short()).Uint32("device", a.deviceID).Msg("linked")
	return a.model(), nil
}

// sameAccount refuses another account than the one whose messages are kept here.
func (l *linker) sameAccount(p *provision) error {
	former := l.accounts.get()
	if former == nil || former.aci == p.aci {
		return nil
	}
	return fmt.Errorf("this data directory belongs to the account %s; use another one for %s: %w",
		former.number, p.number, model.ErrAlreadyLinked)
}

// linkDevice makes us a device of the account, and saves that. The code of a provisioning message is good for once: a
// crash between the service's answer and the end of the transaction loses the link, and the primary lists a device that
// nobody is. So all that can fail beforehand has been done by now.
func (l *linker) linkDevice(ctx context.Context, p *provision, s *linkSession) error {
	request, err := p.request(l.config.Rand)
	if err != nil {
		return err
	}
	link, err := l.network.Dial(ctx)
	if err != nil {
		return err
	}
	defer link.Close() //nolint:errcheck // it has served
	socket, err := link.OpenAnonymous(ctx)
	if err != nil {
		return err
	}
	if err := l.store.Health(); err != nil {
		return errors.Join(model.ErrStorage, err)
	}
	linked, err := socket.LinkDevice(ctx, request)
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if err := l.store.Update(p.save(linked)); err != nil {
		return errors.Join(model.ErrStorage, fmt.Errorf("the device is linked, but that could not be saved; "+
			"remove it on the primary device and link again: %w", err))
	}
	l.sender.courier.access.forget()
	s.tell(model.LinkAccepted)
	if err := l.firstKeys(ctx, link); err != nil {
		l.log.Info().Err(err).Msg("one-time keys follow later")
	}
	s.tell(model.LinkKeysUploaded)
	if err := l.reloadAccount(); err != nil {
		return err
	}
	l.outbox.wake()
	return nil
}

// firstKeys gives the service one-time prekeys before anything else: primary devices wait for them. The connection is of
// its own, so that linking works where nothing else runs, and gone before the client opens one.
func (l *linker) firstKeys(ctx context.Context, link *service.Link) error {
	var record *storepb.Account
	err := l.store.View(func(tx *store.Tx) (err error) {
		record, err = tx.Account()
		return err
	})
	if err != nil {
		return err
	}
	a, err := newAccount(record)
	if err != nil {
		return err
	}
	auth, err := link.OpenAuthenticated(ctx, service.DeviceCredentials(a.aci, a.deviceID, a.password))
	if err != nil {
		return err
	}
	return errors.Join(l.upkeep.keys.checkOver(ctx, auth, a), auth.Close())
}
