package commands

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"
	"strings"

	"github.com/rs/zerolog"

	"signalbox/lenientjson"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
	"signalbox/statuscodes"
)

// maxAuthFailures is how often a client may be wrong about the token before it is hung up on.
const maxAuthFailures = 5

// Client is what a session needs of its connection.
type Client struct {
	// Push sends a line between the replies. It may be called from any goroutine, and returns an error once the
	// connection is of no use any more.
	Push func(line any) error
	// Drain is closed when the daemon begins to shut down.
	Drain <-chan struct{}
}

// Session is one connection's place in the command set: what it has proven, leased and subscribed to. Run and Close
// are for one goroutine.
type Session struct {
	registry *Registry
	client   Client
	owner    model.Owner
	// base outlives the client: what is being sent is finished for a client that has gone.
	base     context.Context
	trusted  bool
	failures int

	subscription *subscription
}

// Open begins a session. Context base is the daemon's: it ends when shutting down has taken too long.
func (r *Registry) Open(base context.Context, client Client) *Session {
	return &Session{registry: r, client: client, owner: r.newOwner(), base: base, trusted: r.token == nil}
}

// Close ends the session's subscription and gives back its leases.
func (s *Session) Close() {
	s.unsubscribe()
	s.registry.signal.ReleaseOwner(s.owner)
}

// header are the fields that any request may have.
type header struct {
	Command  *string `json:"command"`
	ReqID    *string `json:"reqId,omitempty"`
	Username *string `json:"username,omitempty"`
	Token    *string `json:"token,omitempty"`
}

// call is one running command.
type call struct {
	context.Context
	session *Session
	signal  Signal
	value   lenientjson.Value
	reqID   *string
	log     zerolog.Logger
	settle  func(delivered bool)
}

// Run runs one request. Context gone ends when the client is gone, which ends only commands that wait.
func (s *Session) Run(gone context.Context, request lenientjson.Value) Reply {
	head, err := readHeader(request)
	reply := Reply{Command: head.Command, ReqID: head.ReqID}
	if err == nil {
		err = s.authorise(head)
	}
	if err != nil {
		reply = reply.failed(err)
		reply.Hangup = s.failures >= maxAuthFailures
		return reply
	}
	c, err := s.admit(gone, head)
	if err != nil {
		return reply.failed(err)
	}
	ctx, cancel := s.context(gone, c)
	defer cancel()
	running := &call{
		Context: ctx, session: s, signal: s.registry.signal, value: request, reqID: head.ReqID,
		log: s.registry.opts.Log.With().Str("command", c.name).Logger(),
	}
	result, err := running.do(c)
	if err != nil {
		running.log.Debug().Err(err).Stringer("status", statuscodes.Of(err)).Msg("command failed")
		return reply.failed(err)
	}
	reply.Result, reply.Settle = result, running.settle
	return reply
}

// readHeader reads what it can: a request whose reqId is no scalar still has its command echoed.
func readHeader(request lenientjson.Value) (header, error) {
	var head header
	var first error
	fields := reflect.ValueOf(&head).Elem()
	for i := range fields.NumField() {
		name, _, _ := strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
		if err := decodeValue(request.Fields[name], fields.Field(i), name); err != nil && first == nil {
			first = err
		}
	}
	return head, first
}

// authorise checks the token, where one is asked for: once with the auth command, or with each request.
func (s *Session) authorise(head header) error {
	if s.registry.token == nil || s.trusted && !is(head.Command, authCommand) {
		return nil
	}
	if head.Token != nil {
		given := sha256.Sum256([]byte(*head.Token))
		if subtle.ConstantTimeCompare(given[:], s.registry.token[:]) == 1 {
			s.trusted = s.trusted || is(head.Command, authCommand)
			return nil
		}
	}
	s.failures++
	if head.Token == nil {
		return badField(statuscodes.Unauthorized, "", "the token is missing: send auth first, or token with each request")
	}
	return badField(statuscodes.Unauthorized, "", "the token is wrong")
}

func is(s *string, want string) bool { return s != nil && *s == want }

// admit finds the command, and checks what holds for all of them.
func (s *Session) admit(ctx context.Context, head header) (*command, error) {
	if head.Command == nil {
		return nil, badField(statuscodes.UnknownCommand, "", "the request has no command")
	}
	c := s.registry.byName[*head.Command]
	if c == nil {
		return nil, badField(statuscodes.UnknownCommand, "", "there is no such command; protocol lists those that there are")
	}
	select {
	case <-s.client.Drain:
		return nil, model.ErrShuttingDown
	default:
	}
	if head.Username != nil {
		return c, s.checkUsername(ctx, *head.Username)
	}
	return c, nil
}

// checkUsername refuses a request that was meant for another account. With no account there is nothing to be wrong
// about.
func (s *Session) checkUsername(ctx context.Context, username string) error {
	account, err := s.registry.signal.Account(ctx)
	if err != nil {
		return nil //nolint:nilerr // the command itself will tell
	}
	text := username
	if account.Username != "" && (text == account.Username || text == "u:"+account.Username) {
		return nil
	}
	recipient, err := parseRecipient("username", text)
	if err == nil {
		switch recipient.Kind {
		case model.RecipientSelf:
			return nil
		case model.RecipientNumber:
			if recipient.Number == account.Number {
				return nil
			}
		case model.RecipientServiceID:
			if recipient.ServiceID == account.ACI || recipient.ServiceID == account.PNI {
				return nil
			}
		}
	}
	return badArgument("username", "is not the account that is linked here")
}

// context returns what a command runs in.
func (s *Session) context(gone context.Context, c *command) (context.Context, context.CancelFunc) {
	if !c.waits {
		return context.WithTimeout(s.base, s.registry.opts.CommandTimeout)
	}
	ctx, cancel := context.WithCancelCause(gone)
	stop := context.AfterFunc(s.base, func() { cancel(model.ErrShuttingDown) })
	return ctx, func() { stop(); cancel(nil) }
}

// do decodes the request and runs the command behind the fence: a panic costs its caller an error, not the daemon.
func (c *call) do(cmd *command) (result any, err error) {
	defer func() {
		if r := recover(); r != nil {
			c.log.Error().Bytes("stack", debug.Stack()).Msgf("command panicked: %v", r)
			result, err = nil, errPanic
		}
		err = c.cause(err, cmd)
	}()
	request := cmd.newRequest()
	if err := decode(c.value, request); err != nil {
		return nil, err
	}
	return cmd.run(c, request)
}

var errPanic = errors.New("the command failed inside; the log says more")

// cause says what ended a context, where the error is no more than that it ended.
func (c *call) cause(err error, cmd *command) error {
	if network, ok := errors.AsType[*service.NetworkError](err); ok && c.Err() == nil && network.Timeout() {
		return badField(statuscodes.Timeout, "", "the service took too long to answer%s", cmd.departure(err))
	}
	if err == nil || c.Err() == nil || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*model.CutShortError](err); ok {
		return err
	}
	if c.session.base.Err() != nil {
		return fmt.Errorf("%w: the command was ended", model.ErrShuttingDown)
	}
	if errors.Is(c.Err(), context.DeadlineExceeded) {
		return badField(statuscodes.Timeout, "", "the command took longer than --command-timeout (%v)%s",
			c.session.registry.opts.CommandTimeout, cmd.departure(err))
	}
	return err
}

// departure says whether a message left, or a group was changed, before time ran out, where that is known.
func (c *command) departure(err error) string {
	network, ok := errors.AsType[*service.NetworkError](err)
	switch {
	case !ok:
		return ""
	case c.changes && network.MayHaveLeft:
		return "; the group may have been changed: get_group with refresh tells"
	case c.changes:
		return "; nothing was changed"
	case network.MayHaveLeft:
		return "; the message may have left"
	}
	return "; the message has not left"
}
