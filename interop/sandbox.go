package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
)

// harnessAgent is how the User-Agent of the people of the harness begins: a test has things happen to signalbox, not to
// them (testdata/interop/harness/sandbox.mjs).
const harnessAgent = "harness"

func ofHarness(header http.Header) bool {
	return strings.HasPrefix(header.Get("User-Agent"), harnessAgent)
}

// sandboxed is a sandbox that runs in this process, and what a test has done to it: the part of a Mock that, on the mock
// servers, is the harness's own.
type sandboxed struct {
	mock    *Mock
	service *sandbox.Service
	network *network

	mu         sync.Mutex
	rules      map[int]faults.Rule // switched on, by number
	hits       map[int]int
	lastRule   int
	forged     map[string]int // what the service falsifies → how often still
	interposed []func()
}

// startSandbox starts one, and the options with which the harness finds it.
func startSandbox(t testing.TB, m *Mock) map[string]any {
	t.Helper()
	s := &sandboxed{mock: m, rules: map[int]faults.Rule{}, hits: map[int]int{}, forged: map[string]int{}}
	service, err := sandbox.Start(sandbox.Options{Around: s.around, Watch: s.watch,
		Logger: zerolog.New(newLogFile(t, "sandbox.log")).With().Timestamp().Logger()})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, service.Close())
		require.Empty(t, m.Events(func(e Event) bool { return e.Event == "broken" }))
	})
	s.service, m.sandbox = service, s
	s.network, err = newNetwork(freeAddress(t), service.Address().String())
	require.NoError(t, err)
	t.Cleanup(s.network.close)

	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, data, 0o600))
		return path
	}
	description := service.Description()
	var parsed struct {
		CACertificates []string `json:"caCertificates"`
	}
	require.NoError(t, json.Unmarshal(description, &parsed))
	through := bytes.ReplaceAll(description, []byte(s.network.target), []byte(s.network.address))
	_, port, _ := strings.Cut(s.network.address, ":")
	return map[string]any{"description": write("description.json", description), "port": json.Number(port),
		"environment": write("environment.json", through), "ca": write("ca.pem", []byte(strings.Join(parsed.CACertificates, "")))}
}

// commands are those of the harness that take the service's own process.
func (s *sandboxed) commands() map[string]func(args json.RawMessage) (any, error) {
	return map[string]func(args json.RawMessage) (any, error){
		"fault":            s.fault,
		"endFault":         s.endFault,
		"forge":            s.forge,
		"interpose":        s.interpose,
		"queueState":       s.queueState,
		"storeStickerPack": s.storeStickerPack,
		"dropConnections":  func(json.RawMessage) (any, error) { return map[string]int{"count": s.network.drop()}, nil },
		"goAway":           func(json.RawMessage) (any, error) { s.network.goAway(); return nil, nil },
		"comeBack":         func(json.RawMessage) (any, error) { return nil, s.network.comeBack() },
	}
}

// run runs a command; false: it is one for the harness.
func (s *sandboxed) run(command string, args, result any) (bool, error) {
	run := s.commands()[command]
	if run == nil {
		return false, nil
	}
	given, err := json.Marshal(args)
	if err != nil {
		return true, err
	}
	answer, err := run(given)
	if err != nil {
		return true, fmt.Errorf("interop: %s: %w", command, err)
	}
	if result == nil {
		return true, nil
	}
	line, err := json.Marshal(answer)
	if err != nil {
		return true, err
	}
	return true, json.Unmarshal(line, result)
}

// watch tells of devices that come and go; those of the harness are of no interest.
func (s *sandboxed) watch(socket *wire.Socket, open bool) {
	if ofHarness(socket.Header) {
		return
	}
	event := Event{Event: "disconnected", Account: socket.By.Account.String(), Device: int(socket.By.ID)}
	if open {
		event.Event = "connected"
	}
	s.mock.events.add(event)
}

// faultRule is a rule of the harness (testdata/interop/harness/faults.mjs).
type faultRule struct {
	Verb, Path, Action string
	Recipient          string // of what befalls a recipient: "duplicate"
	Times, Status      int
	Headers            []string
	Body               json.RawMessage
}

// grpcUploads is the only gRPC call that tests have fail; the harness's rules name its last part.
const grpcUploads = "/org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientMessage"

// translate says in the sandbox's terms what the rule does.
func (f faultRule) translate() (faults.Rule, error) {
	rule := faults.Rule{Method: f.Verb, Path: strings.TrimPrefix(f.Path, "^"), Times: max(f.Times, 0)}
	if f.Times == 0 {
		rule.Times = 1
	}
	if rule.Path != "" && strings.HasSuffix(grpcUploads, rule.Path) {
		rule.Method, rule.Path = "GRPC", grpcUploads
	}
	switch f.Action {
	case "duplicate":
		rule.Kind, rule.Recipient = faults.Duplicate, f.Recipient
	case "", "respond":
		rule.Kind, rule.Status, rule.Body = faults.Status, f.Status, f.Body
		for _, header := range f.Headers {
			if _, err := fmt.Sscanf(header, "Retry-After:%d", &rule.RetryAfterSeconds); err != nil {
				return rule, fmt.Errorf("header %q: %w", header, err)
			}
		}
		if f.Status == http.StatusTooManyRequests {
			rule.Kind, rule.Status, rule.Body = faults.Limited, 0, nil
		}
	case "drop-before":
		rule.Kind = faults.Cut
	case "drop-after":
		rule.Kind = faults.Lost
	case "hang":
		rule.Kind, rule.LatencyMS = faults.Latency, 600_000
	default:
		return rule, fmt.Errorf("action %q is not known here", f.Action)
	}
	return rule, nil
}

func (s *sandboxed) fault(args json.RawMessage) (any, error) {
	var wanted faultRule
	if err := json.Unmarshal(args, &wanted); err != nil {
		return nil, err
	}
	rule, err := wanted.translate()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeStock()
	s.lastRule++
	s.rules[s.lastRule] = rule
	return map[string]int{"fault": s.lastRule}, s.switchOn()
}

func (s *sandboxed) endFault(args json.RawMessage) (any, error) {
	var ended struct{ Fault int }
	if err := json.Unmarshal(args, &ended); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.takeStock()
	delete(s.rules, ended.Fault)
	return map[string]int{"hits": s.hits[ended.Fault]}, s.switchOn()
}

// takeStock counts what the rules that are on have done since they were switched on; it needs mu. A rule that is used up
// is not on any more.
func (s *sandboxed) takeStock() {
	for id, rule := range s.rules {
		left := s.find(rule)
		switch {
		case left != nil:
			s.hits[id] += left.Hits
			rule.Times = left.Times
			s.rules[id] = rule
		case rule.Times > 0:
			s.hits[id] += rule.Times
			delete(s.rules, id)
		}
	}
}

func (s *sandboxed) find(rule faults.Rule) *faults.Rule {
	for _, on := range s.service.Faults.Rules() {
		if on.Kind == rule.Kind && on.Method == rule.Method && on.Path == rule.Path {
			return &on
		}
	}
	return nil
}

// switchOn needs mu.
func (s *sandboxed) switchOn() error {
	var on []faults.Rule
	for id := range s.lastRule + 1 {
		if rule, there := s.rules[id]; there {
			on = append(on, rule)
		}
	}
	return s.service.Faults.Set(on...)
}

// queueState is that of a device that is not the harness's.
func (s *sandboxed) queueState(args json.RawMessage) (any, error) {
	var device struct {
		ACI    uuid.UUID `json:"aci"`
		Device uint32
	}
	if err := s.mock.Try("realDevice", args, &device); err != nil {
		return nil, err
	}
	id := wire.Device{Account: device.ACI, ID: device.Device}
	return QueueState{Depth: s.service.Messages.Waiting(id), Connected: s.connected(id)}, nil
}

// connected tells whether a device's last event says so.
func (s *sandboxed) connected(id wire.Device) bool {
	events, _, _ := s.mock.events.from(0)
	there := 0
	for _, e := range events {
		if e.Account == id.Account.String() && e.Device == int(id.ID) {
			switch e.Event {
			case "connected":
				there++
			case "disconnected":
				there--
			}
		}
	}
	return there > 0
}

func (s *sandboxed) storeStickerPack(args json.RawMessage) (any, error) {
	var pack struct {
		ID       string
		Stickers [][]byte
	}
	if err := json.Unmarshal(args, &pack); err != nil {
		return nil, err
	}
	for i, sticker := range pack.Stickers {
		if err := s.service.CDN.Put(0, fmt.Sprintf("stickers/%s/full/%d", pack.ID, i), sticker); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
