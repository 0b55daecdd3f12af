package inbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// modelEntry is an entry as the simplest thinkable inbox would keep it.
type modelEntry struct {
	body     string
	id       string
	kind     storepb.EntryType
	holder   int // the batch that has it; 0: none
	returned bool
	noted    bool // handed out with a lease by time, which a restart remembers
}

type modelBatch struct {
	real    *Batch
	reader  int
	expires time.Time
	manual  bool
}

type modelCursor struct {
	real    *Cursor
	awaited []string
}

type model struct {
	*bench
	random  *rand.Rand
	entries []modelEntry // in order
	batches map[int]*modelBatch
	readers []*Reader
	cursors []*modelCursor
	serial  int
}

var modelTypes = []storepb.EntryType{
	storepb.EntryType_ENTRY_MESSAGE, storepb.EntryType_ENTRY_REACTION, storepb.EntryType_ENTRY_RECEIPT, storepb.EntryType_ENTRY_SYNC,
}

func TestModel(t *testing.T) {
	runs := 8
	if testing.Short() {
		runs = 2
	}
	for seed := range runs {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := &model{bench: newBench(t, Options{}), random: rand.New(rand.NewPCG(uint64(seed), 1))}
			m.start()
			for range 600 {
				m.step()
			}
			for _, c := range m.cursors {
				m.readCursor(c)
				require.NoError(t, c.real.Close())
			}
		})
	}
}

func (m *model) start() {
	m.batches = make(map[int]*modelBatch)
	m.readers, m.cursors = nil, nil
	for range 3 {
		m.readers = append(m.readers, m.NewReader())
	}
}

func (m *model) step() {
	switch n := m.random.IntN(100); {
	case n < 30:
		m.appendSome()
	case n < 55:
		m.takeSome()
	case n < 65:
		m.finishBatch(true)
	case n < 72:
		m.finishBatch(false)
	case n < 80:
		m.ackByID()
	case n < 84:
		m.closeReader()
	case n < 88:
		m.now = m.now.Add(time.Duration(m.random.IntN(40)) * time.Second)
	case n < 91:
		m.cursors = append(m.cursors, &modelCursor{real: m.Subscribe(modelTypes)})
	case n < 97 && len(m.cursors) > 0:
		m.readCursor(m.cursors[m.random.IntN(len(m.cursors))])
	case n == 97:
		require.NoError(m.t, m.Tidy())
	case n == 98:
		m.restartAll()
	default:
		m.failAppend()
	}
	require.Equal(m.t, len(m.entries), m.Status().Depth)
}

func (m *model) appendSome() {
	var added []modelEntry
	require.NoError(m.t, m.st.Update(func(tx *store.Tx) error {
		for range 1 + m.random.IntN(5) {
			m.serial++
			e := &storepb.InboxEntry{Type: modelTypes[m.random.IntN(len(modelTypes))], Content: fmt.Append(nil, m.serial)}
			if err := m.Append(tx, e); err != nil {
				return err
			}
			added = append(added, modelEntry{body: string(e.Content), id: e.Id, kind: e.Type})
		}
		return nil
	}))
	m.entries = append(m.entries, added...)
	for _, c := range m.cursors {
		for _, e := range added {
			c.awaited = append(c.awaited, e.body)
		}
	}
}

func (m *model) failAppend() {
	require.Error(m.t, m.st.Update(func(tx *store.Tx) error {
		require.NoError(m.t, m.Append(tx, &storepb.InboxEntry{Content: []byte("never")}))
		return store.ErrConflict
	}))
}

func (m *model) expire() {
	for id, b := range m.batches {
		if b.manual && !m.now.Before(b.expires) {
			m.release(id)
		}
	}
}

func (m *model) release(batch int) {
	for i := range m.entries {
		if m.entries[i].holder == batch {
			m.entries[i].holder, m.entries[i].returned = 0, true
		}
	}
	delete(m.batches, batch)
}

func (m *model) takeSome() {
	m.expire()
	m.serial++
	reader := m.random.IntN(len(m.readers))
	req := Request{Max: 1 + m.random.IntN(8), Types: slices.Clone(modelTypes)}
	if m.random.IntN(2) == 0 {
		req.Types = req.Types[:1+m.random.IntN(len(modelTypes))]
	}
	if m.random.IntN(2) == 0 {
		req.Lease = time.Duration(1+m.random.IntN(60)) * time.Second
	}
	batch := m.take(m.readers[reader], req)
	want := []string{}
	for i := range m.entries {
		e := &m.entries[i]
		if len(want) == req.Max || e.holder != 0 || !slices.Contains(req.Types, e.kind) {
			continue
		}
		body := e.body
		if e.returned {
			body += " again"
		}
		want = append(want, body)
		e.holder, e.noted = m.serial, e.noted || req.Lease > 0
	}
	require.Equal(m.t, want, bodies(batch))
	m.batches[m.serial] = &modelBatch{batch, reader, m.now.Add(req.Lease), req.Lease > 0}
}

func (m *model) anyBatch() (int, *modelBatch) {
	ids := make([]int, 0, len(m.batches))
	for id := range m.batches {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return 0, nil
	}
	slices.Sort(ids)
	id := ids[m.random.IntN(len(ids))]
	return id, m.batches[id]
}

func (m *model) finishBatch(ack bool) {
	id, b := m.anyBatch()
	if b == nil {
		return
	}
	if !ack {
		b.real.Return()
		m.release(id)
		return
	}
	require.NoError(m.t, b.real.Ack())
	m.entries = slices.DeleteFunc(m.entries, func(e modelEntry) bool { return e.holder == id })
	m.release(id)
}

func (m *model) ackByID() {
	if len(m.entries) == 0 {
		return
	}
	i := m.random.IntN(len(m.entries))
	unknown, err := m.Ack([]string{m.entries[i].id})
	require.NoError(m.t, err)
	require.Empty(m.t, unknown)
	unknown, err = m.Ack([]string{m.entries[i].id})
	require.NoError(m.t, err)
	require.Len(m.t, unknown, 1)
	m.entries = slices.Delete(m.entries, i, i+1)
}

func (m *model) closeReader() {
	i := m.random.IntN(len(m.readers))
	m.readers[i].Close()
	m.readers[i] = m.NewReader()
	for id, b := range m.batches {
		if b.reader == i {
			m.release(id)
		}
	}
}

func (m *model) readCursor(c *modelCursor) {
	got, missed := m.next(c.real)
	require.Zero(m.t, missed)
	require.Equal(m.t, c.awaited, got)
	c.awaited = nil
}

func (m *model) restartAll() {
	m.restart()
	for i := range m.entries {
		m.entries[i].holder = 0
		m.entries[i].returned = m.entries[i].noted
	}
	m.start()
}
