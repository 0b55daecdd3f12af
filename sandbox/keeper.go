package sandbox

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/sandbox/disk"
	"signalbox/sandbox/wire"
)

// keepingDelay is how long changes are gathered before they are written.
const keepingDelay = 300 * time.Millisecond

// keeper writes a sandbox's state to its directory, shortly after it changes.
type keeper struct {
	dir     *disk.Dir // nil where nothing is kept
	take    func() (*state, error)
	log     zerolog.Logger
	changed chan struct{} // holds one: something has changed

	mu   sync.Mutex // held while the state is written
	kept bool       // Keep was called
}

// note is called after each change, by anyone.
func (k *keeper) note() {
	select {
	case k.changed <- struct{}{}:
	default:
	}
}

// run writes until ctx ends.
func (k *keeper) run(ctx context.Context) {
	for {
		select {
		case <-k.changed:
		case <-ctx.Done():
			return
		}
		select {
		case <-time.After(keepingDelay):
		case <-ctx.Done():
			return
		}
		k.write()
	}
}

// write writes the state now, once it is to be kept. What goes wrong is logged: the sandbox goes on without.
func (k *keeper) write() {
	if err := k.save(false); err != nil {
		k.log.Error().Err(err).Msg("the sandbox's state was not written")
	}
}

func (k *keeper) save(begin bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = k.kept || begin
	if k.dir == nil || !k.kept {
		return nil
	}
	now, err := k.take()
	if err != nil {
		return err
	}
	return k.dir.Save(now)
}

// Keep writes the state to the directory of the options, and from then on after each change. Before it, nothing is
// written.
func (s *Service) Keep() error { return s.keeper.save(true) }

// Fresh tells whether the sandbox is new: its directory had nothing in it.
func (s *Service) Fresh() bool { return s.fresh }

// load reads the state of the options' directory; nil where there is none.
func (s *Service) load() (*state, error) {
	s.keeper = &keeper{take: s.snapshot, log: s.options.Logger, changed: make(chan struct{}, 1)}
	s.fresh = true
	if s.options.Dir == "" {
		return nil, nil
	}
	s.keeper.dir = disk.Open(s.options.Dir)
	kept := &state{}
	err := s.keeper.dir.Load(kept)
	if errors.Is(err, disk.ErrNone) {
		return nil, nil
	}
	s.fresh = false
	return kept, err
}

// handled is called for each call from outside, before its answer leaves. What a client will not do again once it has
// the answer is written before.
func (s *Service) handled(r *wire.Request) {
	if lasting(r) {
		s.keeper.write()
		return
	}
	s.keeper.note()
}

// lasting are calls whose loss a client would not get over by itself: of devices, groups, the storage service and
// profiles. It gets over the loss of messages and prekeys.
func lasting(r *wire.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	for _, path := range []string{
		"/v1/accounts", "/v1/devices", "/v1/profile", "/v1/storage", "/v2/groups", "/accounts", "/register",
	} {
		if strings.HasPrefix(r.Path, path) && r.Path != "/v1/storage/read" {
			return true
		}
	}
	return false
}
