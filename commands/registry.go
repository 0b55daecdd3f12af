package commands

import (
	"crypto/sha256"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/model"
)

// Options are the settings of the command set.
type Options struct {
	// Token, unless empty, is what clients must present.
	Token string
	// CommandTimeout bounds every command but those that wait for something to happen.
	CommandTimeout time.Duration
	Version        Version
	Log            zerolog.Logger
}

// Version is what the version command tells.
type Version struct {
	Version string
	Commit  string
	// Built is when; zero where not known.
	Built time.Time
}

// Registry is the command set over one Signal client. It is for any number of sessions at once.
type Registry struct {
	signal Signal
	opts   Options
	token  *[sha256.Size]byte
	byName map[string]*command
	owners atomic.Uint64
	began  time.Time
}

// command is one entry of the table.
type command struct {
	name string
	help string
	// request and reply are pointers to zero values, for decoding and for the schemas.
	request, reply any
	run            func(c *call, request any) (any, error)
	// waits is set where the command may wait without bound for something to happen: it ends when the client is gone,
	// or the daemon shuts down, and is not bounded by the command timeout.
	waits bool
	// changes is set where the command changes a group.
	changes bool
	// open is set where the command runs before authentication.
	open bool
}

// New returns the command set.
func New(signal Signal, opts Options) *Registry {
	r := &Registry{signal: signal, opts: opts, byName: map[string]*command{}, began: time.Now()}
	if opts.Token != "" {
		sum := sha256.Sum256([]byte(opts.Token))
		r.token = &sum
	}
	for _, c := range table() {
		r.byName[c.name] = c
	}
	return r
}

// define makes a command of a function over typed requests and replies.
func define[Q, R any](name, help string, run func(*call, *Q) (*R, error)) *command {
	return &command{
		name: name, help: help, request: new(Q), reply: new(R),
		run: func(c *call, request any) (any, error) {
			reply, err := run(c, request.(*Q))
			if err != nil || reply == nil {
				return nil, err
			}
			return reply, nil
		},
	}
}

func (c *command) waiting() *command {
	c.waits = true
	return c
}

func (c *command) changing() *command {
	c.changes = true
	return c
}

func (c *command) unauthenticated() *command {
	c.open = true
	return c
}

func (c *command) newRequest() any { return reflect.New(reflect.TypeOf(c.request).Elem()).Interface() }

// None is the request or the reply of a command that has no fields of its own.
type None struct{}

func (r *Registry) newOwner() model.Owner { return model.Owner(r.owners.Add(1)) }
