package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/cdn"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/disk"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/groups"
	"signalbox/sandbox/messages"
	"signalbox/sandbox/storage"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/signalpb/servicepb"
)

// maxProfileAvatar is ProfileHelper.MAX_PROFILE_AVATAR_SIZE_BYTES.
const maxProfileAvatar = 10 << 20

// How long a websocket stays open on which nothing is said (WhisperServerService).
const (
	deviceIdle       = 90 * time.Second
	provisioningIdle = 60 * time.Second
)

// Options tune a service. The zero value of each means the default.
type Options struct {
	// Listen is an address with a port; 127.0.0.1:0 is any free one.
	Listen string
	// Dir is where the sandbox is, or is to be, kept; nothing is kept where it is empty, nor before Keep.
	Dir string
	// HTTP1Only leaves out HTTP/2, with it gRPC, as older services do.
	HTTP1Only bool
	Logger    zerolog.Logger

	// Around stands around all calls of the chat and the storage host, AroundCDN around those of the CDNs, and Watch is told
	// of each device's websocket when it opens and when it has ended. All are for tests, and may be nil.
	Around    wire.Surrounding
	AroundCDN func(http.Handler) http.Handler
	Watch     func(socket *wire.Socket, open bool)

	// Now and Rand are for tests; time.Now and crypto/rand where nil.
	Now  func() time.Time
	Rand io.Reader
}

func (o Options) withDefaults() Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	return o
}

// Service is a running sandbox. It is safe for concurrent use.
type Service struct {
	Accounts *accounts.Book
	Messages *messages.Hub
	Groups   *groups.Service
	Storage  *storage.Store
	CDN      *cdn.Store
	Faults   *faults.Switches

	keeper      *keeper
	scratch     *disk.Dir // nil where all is kept
	fresh       bool
	ctx         context.Context // of the contacts
	cancel      context.CancelFunc
	people      sync.WaitGroup
	residents   residents
	world       contacts.World
	options     Options
	authority   *accounts.Authority
	server      *wire.Server
	ca          *wire.Authority
	address     net.Addr
	description []byte
	environment *environment.Environment
}

// Start runs a service until Close. Its errors are those of disk.Dir.Load, for the directory of the options.
func Start(options Options) (*Service, error) {
	s := &Service{options: options.withDefaults()}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	err := s.build()
	if err == nil {
		if err = s.listen(); err != nil {
			err = fmt.Errorf("sandbox: %w", err)
		}
	}
	if err != nil {
		s.cancel()
		s.people.Wait()
		return nil, errors.Join(err, s.tidy())
	}
	if err := s.describe(); err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s.people.Go(func() { s.keeper.run(s.ctx) })
	return s, nil
}

// build makes a new sandbox, or that of the options' directory again.
func (s *Service) build() error {
	kept, err := s.load()
	if err != nil {
		return err
	}
	if kept == nil {
		err = s.newAuthorities()
	} else {
		err = s.restoreAuthorities(kept)
	}
	if err != nil {
		return s.unreadable(kept, err)
	}
	files, err := s.openFiles()
	if err != nil {
		return err
	}
	s.assemble(files)
	if err := s.CDN.Load(); err != nil {
		return err
	}
	if err := s.inhabit(); err != nil || kept == nil {
		return err
	}
	return s.unreadable(kept, s.restore(kept))
}

// openFiles are where the CDN has its objects: with everything else that is kept, or in a directory that goes with the
// service.
func (s *Service) openFiles() (cdn.Files, error) {
	if s.keeper.dir != nil {
		return s.keeper.dir, nil
	}
	var err error
	s.scratch, err = disk.Temporary()
	return s.scratch, err
}

// tidy removes what nobody keeps.
func (s *Service) tidy() error {
	if s.scratch == nil {
		return nil
	}
	return s.scratch.Remove()
}

// unreadable says of a failure that it is the kept state's, where there is one.
func (s *Service) unreadable(kept *state, err error) error {
	switch {
	case err == nil:
		return nil
	case kept == nil:
		return fmt.Errorf("sandbox: %w", err)
	}
	return fmt.Errorf("%s: %w: %w", s.options.Dir, disk.ErrDamaged, err)
}

func (s *Service) newAuthorities() (err error) {
	if s.authority, err = accounts.NewAuthority(s.options.Rand); err != nil {
		return err
	}
	s.ca, err = wire.NewAuthority(s.options.Rand, s.options.Now())
	return err
}

// assemble makes the parts and gives each its calls.
func (s *Service) assemble(files cdn.Files) {
	now, random := s.options.Now, s.options.Rand
	s.CDN = cdn.New(now, files)
	s.Storage = storage.New(now)
	s.Accounts = accounts.NewBook(accounts.Options{
		Authority: s.authority, Now: now, Rand: random, AvatarForm: s.profileForm,
		AvatarGone: func(key string) { s.CDN.Remove(0, key) },
		Removed:    func(device wire.Device) { s.Messages.Remove(device) },
	})
	s.Faults = &faults.Switches{}
	s.Messages = messages.NewHub(s.Accounts, s.Faults, now)
	s.Messages.OnChange(s.keeper.note)
	s.Groups = groups.New(groups.Options{ZK: s.authority.ZK, Now: now, Rand: random, AvatarForm: s.groupForm})

	chat := s.router()
	s.Accounts.Routes(chat)
	s.Messages.Routes(chat)
	s.Storage.ChatRoutes(chat)
	s.CDN.Routes(chat)
	s.server = wire.NewServer(chat, s.Accounts)
	s.server.HandleSocket("/v1/websocket/", wire.Sockets{Handler: s.serveSocket, Calls: chat, Idle: deviceIdle})
	alone := s.router()
	s.Accounts.KeepAliveRoutes(alone)
	s.server.HandleSocket("/v1/websocket/provisioning/", wire.Sockets{
		Handler: s.Accounts.ServeProvisioning, Calls: alone, Idle: provisioningIdle,
	})
	s.Messages.Methods(s.server)
	s.CDN.Methods(s.server)

	s.server.HandlePrefix("/sandbox", s.controls())
	stored := s.router()
	s.Storage.Routes(stored)
	s.Groups.Routes(stored)
	s.server.HandlePrefix("/storage", wire.Host(stored, max(storage.MaxBody, groups.MaxBody)))
	for _, number := range []int{0, 2, 3} {
		cdn := wire.Exposed(s.CDN.Handler(number), s.Faults.Fate)
		if s.options.AroundCDN != nil {
			cdn = s.options.AroundCDN(cdn)
		}
		s.server.HandlePrefix(fmt.Sprintf("/cdn%d", number), cdn)
	}
}

// router is one of a host, with what stands before its calls.
func (s *Service) router() *wire.Router {
	router := wire.NewRouter(s.options.Logger)
	if s.options.Around != nil {
		router.Surround(s.options.Around)
	}
	router.Intercept(s.Faults.Fate)
	router.After(s.handled)
	return router
}

func (s *Service) serveSocket(ctx context.Context, socket *wire.Socket) {
	if s.options.Watch != nil && socket.By != nil {
		s.options.Watch(socket, true)
		defer s.options.Watch(socket, false)
	}
	s.Messages.ServeSocket(ctx, socket)
}

func (s *Service) profileForm(key string) (accounts.AvatarForm, error) {
	p, err := s.CDN.NewPolicy(key, maxProfileAvatar)
	return accounts.AvatarForm(p), err
}

func (s *Service) groupForm(key string, maxSize int64) (*servicepb.AvatarUploadAttributes, error) {
	p, err := s.CDN.NewPolicy(key, maxSize)
	return &servicepb.AvatarUploadAttributes{
		Key: &p.Key, Credential: &p.Credential, Acl: &p.ACL, Algorithm: &p.Algorithm, Date: &p.Date, Policy: &p.Policy,
		Signature: &p.Signature,
	}, err
}

func (s *Service) listen() error {
	listener, err := net.Listen("tcp", s.options.Listen)
	if err != nil {
		return err
	}
	s.address = listener.Addr()
	s.CDN.SetBase(s.URL())
	ips := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	if tcp, ok := s.address.(*net.TCPAddr); ok && !tcp.IP.IsUnspecified() {
		ips = append(ips, tcp.IP)
	}
	certificate, err := s.ca.Issue(s.options.Rand, s.options.Now(), []string{"localhost"}, ips)
	if err != nil {
		_ = listener.Close()
		return err
	}
	s.server.Serve(listener, certificate, s.options.HTTP1Only)
	return nil
}

// describe makes the environment that leads clients here.
func (s *Service) describe() (err error) {
	base := s.URL()
	zk := s.authority.ZK.PublicParams().Serialize()
	s.description, err = json.MarshalIndent(map[string]any{
		"chatUrl": base, "storageUrl": base + "/storage",
		"cdnUrls":                     map[string]string{"0": base + "/cdn0", "2": base + "/cdn2", "3": base + "/cdn3"},
		"caCertificates":              []string{s.ca.PEM()},
		"sealedSenderTrustRoots":      [][]byte{s.authority.TrustRoot()},
		"zkServerPublicParams":        zk,
		"zkGenericServerPublicParams": zk,
		"zkBackupServerPublicParams":  zk,
	}, "", "  ")
	if err != nil {
		return err
	}
	s.environment, err = environment.Parse(s.description)
	return err
}

// Environment leads clients of this process to the service.
func (s *Service) Environment() *environment.Environment { return s.environment }

// Description is the environment as JSON, for the option --service of another process.
func (s *Service) Description() []byte { return s.description }

// Address is where the service listens.
func (s *Service) Address() net.Addr { return s.address }

// URL is where clients find the service. One that listens everywhere is known to them as localhost.
func (s *Service) URL() string {
	if tcp, ok := s.address.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("https://localhost:%d", tcp.Port)
	}
	return "https://" + s.address.String()
}

// CutConnections ends all connections without a word.
func (s *Service) CutConnections() { s.server.CutAll() }

// Close ends everything and waits for it.
func (s *Service) Close() error {
	s.cancel()
	err := s.server.Close()
	s.people.Wait()
	return errors.Join(err, s.keeper.save(false), s.tidy())
}
