package signalcore

import (
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"signalbox/interop"
	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
	"signalbox/signalcore/inbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// mocks are the mock servers of all tests here that need one.
var mocks interop.Host

func TestMain(m *testing.M) { goleak.VerifyTestMain(hosted{m}) }

// hosted ends what the tests have shared before leaks are looked for.
type hosted struct{ *testing.M }

func (h hosted) Run() int {
	defer mocks.Stop()
	return h.M.Run()
}

// soon bounds what a test waits for; nothing waits that long when all is well.
const soon = time.Minute

func newKeys(t testing.TB) curve.KeyPair {
	t.Helper()
	pair, err := curve.GenerateKeyPair(rand.Reader)
	require.NoError(t, err)
	return pair
}

// testClock stands still unless it is set forward.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// party is a device of an account of the world, with its own store, and no network unless it goes online.
type party struct {
	*Client
	t       testing.TB
	world   *world
	clock   *testClock // the world's
	nextKey uint32
	member  *messenger.Messenger // made when it is needed
}

// testCode is a stand-in for package statuscodes.
func testCode(error) int { return 17 }

// newParty makes an account whose first device it is.
func (w *world) newParty(t testing.TB, number string) *party {
	t.Helper()
	aci, pni, access := uuid.New(), uuid.New(), newProfileKey(t)
	p := w.newDevice(t, &storepb.Account{
		Aci: aci[:], Pni: pni[:], Number: number, DeviceId: 1, Password: "secret",
		AciRegistrationId: 11, PniRegistrationId: 12,
		AciIdentity: keyPairRecord(newKeys(t)), PniIdentity: keyPairRecord(newKeys(t)), ProfileKey: access,
	})
	p.register()
	return p
}

func newProfileKey(t testing.TB) []byte {
	t.Helper()
	key, err := profilekey.Generate(rand.Reader)
	require.NoError(t, err)
	return key[:]
}

// newDevice makes a device from an account's record, of which the service does not know yet.
func (w *world) newDevice(t testing.TB, record *storepb.Account) *party {
	t.Helper()
	p := &party{t: t, world: w, clock: w.clock}
	p.open(t.TempDir())
	require.NoError(t, p.store.Update(func(tx *store.Tx) error { return tx.PutAccount(record) }))
	require.NoError(t, p.reloadAccount())
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

func (p *party) open(dir string) {
	p.t.Helper()
	var err error
	p.Client, err = Open(Config{
		DataDir: dir, Environment: p.world.env, Logger: zerolog.Nop(), Version: "test",
		Now: p.clock.Now, Code: testCode,
	})
	require.NoError(p.t, err)
}

// restart closes the store as a stop of the daemon does, and opens it again.
func (p *party) restart() {
	p.t.Helper()
	dir := p.store.Dir()
	require.NoError(p.t, p.Close())
	p.open(dir)
}

// otherDevice links another device of the same account.
func (p *party) otherDevice(id uint32) *party {
	p.t.Helper()
	record := p.record()
	record.DeviceId, record.AciRegistrationId = id, record.AciRegistrationId+100
	other := p.world.newDevice(p.t, record)
	other.link()
	return other
}

// installedAnew is the device as it is after a new installation, which the service does not know of yet.
func (p *party) installedAnew() *party {
	p.t.Helper()
	record := p.record()
	record.AciRegistrationId += 100
	return p.world.newDevice(p.t, record)
}

// registersAnew gives a party a new identity, as one whose phone was lost has.
func (p *party) registersAnew() {
	p.t.Helper()
	p.update(func(tx *store.Tx) error {
		record, err := tx.Account()
		if err != nil {
			return err
		}
		record.AciIdentity = keyPairRecord(newKeys(p.t))
		if _, err := tx.DeleteAllSessions(serviceid.ACI); err != nil {
			return err
		}
		return tx.PutAccount(record)
	})
	require.NoError(p.t, p.reloadAccount())
	p.registersAgain()
}

// registersAgain has the service know the party's identity and registration id of now; other devices are unlinked.
func (p *party) registersAgain() {
	p.t.Helper()
	own := p.accounts.get().aciIdentity
	require.NoError(p.t, p.world.Accounts.SetIdentity(
		p.aci(), own.keys.Public, own.registrationID, p.newKeys(p.aci()).link()))
}

func (p *party) aci() serviceid.ServiceID { return p.accounts.get().aci }
func (p *party) pni() serviceid.ServiceID { return p.accounts.get().pni }

func (p *party) view(fn func(*store.Tx) error) {
	p.t.Helper()
	require.NoError(p.t, p.store.View(fn))
}

func (p *party) update(fn func(*store.Tx) error) {
	p.t.Helper()
	require.NoError(p.t, p.store.Update(fn))
}

// letter is a content on its way from one party to another.
type letter struct {
	from      *party
	to        *party
	toPNI     bool
	sealed    bool
	timestamp uint64
	hint      sealedsender.ContentHint
	keys      []prekey.Bundle // in place of those that the service hands out
}

// newLetter addresses a letter with a timestamp of its own.
func newLetter(from, to *party) letter {
	return letter{from: from, to: to, timestamp: from.world.time.Add(1)}
}

func (l letter) destination() serviceid.ServiceID {
	if l.toPNI {
		return l.to.pni()
	}
	return l.to.aci()
}

// text puts a text into an envelope.
func (l letter) text(text string) *servicepb.Envelope {
	return l.content(textContent(l.from.t, l.timestamp, text))
}

func textContent(t testing.TB, timestamp uint64, text string) *servicepb.Content {
	t.Helper()
	c, err := content.NewMessage(content.Common{Timestamp: timestamp}, content.Message{Text: text})
	require.NoError(t, err)
	return c
}

// content encrypts for the recipient's device, opening a session where there is none.
func (l letter) content(c *servicepb.Content) *servicepb.Envelope {
	plaintext, err := padded(c)
	require.NoError(l.from.t, err)
	return l.envelope(l.encrypt(parcel{plaintext: plaintext}))
}

func (l letter) encrypt(p parcel) *storepb.Ciphertext {
	t := l.from.t
	t.Helper()
	p.to, p.hint = l.destination(), l.hint
	if l.sealed {
		p.certificate = l.from.certificate()
	}
	var out *storepb.Ciphertext
	l.from.update(func(tx *store.Tx) error {
		e := newEncrypter(tx, l.from.accounts.get(), rand.Reader)
		device := l.to.accounts.get().deviceID
		record, err := e.book.get(sessionName{serviceid.ACI, serviceid.Address{ServiceID: p.to, DeviceID: device}})
		require.NoError(t, err)
		if !record.HasCurrent() {
			bundles := l.keys
			if bundles == nil {
				bundles, err = l.to.world.Accounts.Bundles(p.to, device)
				require.NoError(t, err)
			}
			_, err = e.open(p.to, bundles)
			require.NoError(t, err)
		}
		all, err := e.devices(p, []uint32{device})
		if err == nil {
			out = all[0]
		}
		return err
	})
	return out
}

func (l letter) envelope(c *storepb.Ciphertext) *servicepb.Envelope {
	from := l.from.accounts.get()
	kind := servicepb.Envelope_Type(c.GetType())
	e := &servicepb.Envelope{
		Type: kind.Enum(), Content: c.GetBody(), ClientTimestamp: proto.Uint64(l.timestamp),
		ServerTimestamp: proto.Uint64(l.timestamp + 1), ServerGuid: proto.String(uuid.NewString()),
		DestinationServiceId: proto.String(l.destination().String()), Urgent: proto.Bool(true),
		SourceServiceId: proto.String(from.aci.String()), SourceDeviceId: proto.Uint32(from.deviceID),
	}
	if l.sealed {
		e.Type, e.Content = servicepb.Envelope_UNIDENTIFIED_SENDER.Enum(), c.GetSealedBody()
		e.SourceServiceId, e.SourceDeviceId = nil, nil
	}
	return e
}

// batch is how envelopes come from the service.
func batch(t testing.TB, envelopes ...*servicepb.Envelope) []service.Envelope {
	t.Helper()
	out := make([]service.Envelope, len(envelopes))
	for i, e := range envelopes {
		raw, err := proto.Marshal(e)
		require.NoError(t, err)
		out[i].Bytes = raw
	}
	return out
}

// gets commits envelopes.
func (p *party) gets(envelopes ...*servicepb.Envelope) {
	p.t.Helper()
	for left := batch(p.t, envelopes...); len(left) > 0; {
		count, err := p.receiver.commit(left)
		require.NoError(p.t, err)
		require.Positive(p.t, count)
		left = left[count:]
	}
}

// entries are what the inbox holds, in order; they stay there.
func (p *party) entries() []*storepb.InboxEntry {
	p.t.Helper()
	reader := p.inbox.NewReader()
	defer reader.Close()
	var kinds []storepb.EntryType
	for number := range storepb.EntryType_name {
		kinds = append(kinds, storepb.EntryType(number))
	}
	taken, err := reader.Take(inbox.Request{Types: kinds, Max: 10_000, MaxBytes: 1 << 30})
	require.NoError(p.t, err)
	out := make([]*storepb.InboxEntry, len(taken.Messages))
	for i, m := range taken.Messages {
		out[i] = m.InboxEntry
	}
	return out
}

// texts are the bodies in the inbox, with a word in brackets for what is no message.
func (p *party) texts() []string {
	p.t.Helper()
	var out []string
	for _, e := range p.entries() {
		if e.GetType() != storepb.EntryType_ENTRY_MESSAGE {
			out = append(out, "["+e.GetType().String()+"]")
			continue
		}
		var c servicepb.Content
		require.NoError(p.t, proto.Unmarshal(e.GetContent(), &c))
		out = append(out, c.GetDataMessage().GetBody())
	}
	return out
}

// jobs are those of a kind that wait.
// awaitDone waits until no job of a kind is left: the answer to a call comes before its job is settled.
func (p *party) awaitDone(kind storepb.JobKind) {
	p.t.Helper()
	require.Eventually(p.t, func() bool { return len(p.jobs(kind)) == 0 }, soon, 5*time.Millisecond)
}

func (p *party) jobs(kind storepb.JobKind) []*storepb.Job {
	p.t.Helper()
	var out []*storepb.Job
	p.view(func(tx *store.Tx) error {
		jobs, err := tx.DueJobs(1000)
		for _, job := range jobs {
			if job.GetKind() == kind {
				out = append(out, job)
			}
		}
		return err
	})
	return out
}

func (p *party) receipts() []store.Receipt {
	p.t.Helper()
	var out []store.Receipt
	p.view(func(tx *store.Tx) error {
		return tx.Receipts(1000, func(group []store.Receipt) (bool, error) {
			out = append(out, group...)
			return true, nil
		})
	})
	return out
}

func (p *party) recipient(id serviceid.ServiceID) *storepb.Recipient {
	p.t.Helper()
	var out *storepb.Recipient
	p.view(func(tx *store.Tx) (err error) {
		out, err = tx.RecipientByServiceID(id)
		return err
	})
	return out
}

// knows makes someone a contact, with what opens sealed sends to them.
func (p *party) knows(other *party) {
	p.t.Helper()
	a := other.accounts.get()
	p.update(func(tx *store.Tx) error {
		recipient, err := tx.Associate(store.Identifiers{ACI: a.aci, Number: a.number})
		if err != nil {
			return err
		}
		recipient.ProfileKey = a.profileKey
		return tx.PutRecipient(recipient)
	})
}

// forgetsKeyOf leaves a contact without a profile key.
func (p *party) forgetsKeyOf(other *party) { p.t.Helper(); p.keepsKeyOf(other, nil) }

func (p *party) keepsKeyOf(other *party, key []byte) {
	p.t.Helper()
	p.update(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(other.aci())
		if err != nil {
			return err
		}
		recipient.ProfileKey = key
		return tx.PutRecipient(recipient)
	})
}

// watch collects the events that are published until the end of the test.
func (p *party) watch() <-chan model.Event {
	p.t.Helper()
	events := make(chan model.Event, 100)
	s := &subscription{client: p.Client, changed: make(chan struct{}, 1), found: make(chan found)}
	p.events.mu.Lock()
	p.events.subscribers[s] = struct{}{}
	p.events.mu.Unlock()
	ctx, cancel := contextOf(p.t)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			event, err := s.Next(ctx)
			if err != nil {
				return
			}
			events <- event
		}
	})
	p.t.Cleanup(func() { cancel(); running.Wait() })
	return events
}
