package inbox

import (
	"cmp"
	"math"
	"slices"

	"signalbox/signalcore/signalpb/storepb"
)

// types is how many types of entry there are; one lane of the index each. An unknown type from a newer version is
// ENTRY_UNKNOWN here.
const types = int(storepb.EntryType_ENTRY_NOTICE) + 1

func laneOf(t storepb.EntryType) int {
	if t < 0 || int(t) >= types {
		return int(storepb.EntryType_ENTRY_UNKNOWN)
	}
	return int(t)
}

type ref struct {
	kind storepb.EntryType
	seq  uint64
}

// slot is what is known of an entry without reading it.
type slot struct {
	seq      uint64
	bytes    uint32 // clamped
	received uint32 // Unix seconds
	lease    uint32 // 0: none
	tag      uint32
	consumed bool // acknowledged; kept for subscribers
	returned bool // handed out before, and came back
	leaving  bool // about to be removed
	gone     bool
}

// available reports whether a reader may take it.
func (s *slot) available() bool { return !s.gone && !s.consumed && !s.leaving && s.lease == 0 }

// lane holds the entries of one type in order.
type lane struct {
	slots []slot
	first int // nothing before it is available
	gone  int
}

// index holds all entries. Its methods are pure bookkeeping; Inbox.mu guards it.
type index struct {
	lanes         [types]lane
	count         int // not consumed
	bytes         int64
	consumed      []ref
	consumedBytes int64
}

func clamp32(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

func (l *lane) search(seq uint64) (int, bool) {
	return slices.BinarySearchFunc(l.slots, seq, func(s slot, seq uint64) int { return cmp.Compare(s.seq, seq) })
}

func (x *index) find(r ref) *slot {
	l := &x.lanes[laneOf(r.kind)]
	if i, ok := l.search(r.seq); ok && !l.slots[i].gone {
		return &l.slots[i]
	}
	return nil
}

// findSeq finds an entry of which only the number is known.
func (x *index) findSeq(seq uint64) (ref, *slot) {
	for kind := range x.lanes {
		r := ref{storepb.EntryType(kind), seq}
		if s := x.find(r); s != nil {
			return r, s
		}
	}
	return ref{}, nil
}

// restore adds an entry as the store has it, or brings the one that is here up to date.
func (x *index) restore(seq uint64, meta *storepb.InboxMeta) {
	r := ref{storepb.EntryType(laneOf(meta.Type)), seq}
	s := x.find(r)
	if s == nil {
		s = x.insert(r)
		s.tag, s.returned = meta.Tag, meta.Delivered
		s.received = clamp32(meta.ReceivedAt / 1000)
		s.bytes = clamp32(meta.Bytes)
		x.count++
		x.bytes += int64(s.bytes)
	}
	x.resize(r, meta.Bytes)
	if meta.Consumed {
		x.consume(r)
	}
}

func (x *index) insert(r ref) *slot {
	l := &x.lanes[laneOf(r.kind)]
	i, exists := l.search(r.seq)
	if exists { // one that is gone
		l.gone--
		l.slots[i] = slot{seq: r.seq}
	} else {
		l.slots = slices.Insert(l.slots, i, slot{seq: r.seq})
	}
	l.first = min(l.first, i)
	return &l.slots[i]
}

func (x *index) resize(r ref, bytes int64) {
	s := x.find(r)
	if s == nil {
		return
	}
	grown := int64(clamp32(bytes)) - int64(s.bytes)
	if s.consumed {
		x.consumedBytes += grown
	} else {
		x.bytes += grown
	}
	s.bytes = clamp32(bytes)
}

// consume takes an entry from the readers and keeps it for the subscribers.
func (x *index) consume(r ref) {
	s := x.find(r)
	if s == nil || s.consumed {
		return
	}
	s.consumed, s.lease = true, 0
	x.count--
	x.bytes -= int64(s.bytes)
	x.consumed = append(x.consumed, r)
	x.consumedBytes += int64(s.bytes)
}

// remove drops an entry.
func (x *index) remove(r ref) {
	s := x.find(r)
	if s == nil {
		return
	}
	if s.consumed {
		x.consumedBytes -= int64(s.bytes)
		x.consumed = slices.DeleteFunc(x.consumed, func(c ref) bool { return c == r })
	} else {
		x.count--
		x.bytes -= int64(s.bytes)
	}
	s.gone = true
	l := &x.lanes[laneOf(r.kind)]
	l.gone++
	l.compact()
}

// compact drops the gaps once they are half of the lane, so that removing costs little on average.
func (l *lane) compact() {
	if l.gone < 64 || l.gone*2 < len(l.slots) {
		return
	}
	l.slots = slices.DeleteFunc(l.slots, func(s slot) bool { return s.gone })
	l.slots = slices.Clip(slices.Clone(l.slots))
	l.first, l.gone = 0, 0
}

// retain drops whatever the store does not have.
func (x *index) retain(present map[uint64]struct{}) {
	for kind := range x.lanes {
		for _, s := range slices.Clone(x.lanes[kind].slots) {
			if _, ok := present[s.seq]; !ok {
				x.remove(ref{storepb.EntryType(kind), s.seq})
			}
		}
	}
}

// take picks up to limit available entries of the wanted types, in order, and leases them.
func (x *index) take(want typeSet, limit int, lease uint32) []ref {
	var out []ref
	for len(out) < limit {
		r, ok := x.firstAvailable(want)
		if !ok {
			break
		}
		x.find(r).lease = lease
		out = append(out, r)
	}
	return out
}

func (x *index) firstAvailable(want typeSet) (ref, bool) {
	best, found := ref{}, false
	for kind := range x.lanes {
		if !want.has(kind) {
			continue
		}
		s := x.lanes[kind].head()
		if s != nil && (!found || s.seq < best.seq) {
			best, found = ref{storepb.EntryType(kind), s.seq}, true
		}
	}
	return best, found
}

func (l *lane) head() *slot {
	for ; l.first < len(l.slots); l.first++ {
		if l.slots[l.first].available() {
			return &l.slots[l.first]
		}
	}
	return nil
}

// release ends a lease on an entry, if it is still that lease's.
func (x *index) release(r ref, lease uint32, returned bool) {
	s := x.find(r)
	if s == nil || s.lease != lease {
		return
	}
	s.lease = 0
	s.returned = s.returned || returned
	x.lookAgain(r)
}

func (x *index) setLeaving(r ref, leaving bool) {
	if s := x.find(r); s != nil {
		s.leaving = leaving
		x.lookAgain(r)
	}
}

// lookAgain has the lane consider an entry that may be available again.
func (x *index) lookAgain(r ref) {
	l := &x.lanes[laneOf(r.kind)]
	if i, ok := l.search(r.seq); ok {
		l.first = min(l.first, i)
	}
}

// from lists up to limit entries of the wanted types from a number on, in order, whoever has them.
func (x *index) from(seq uint64, want typeSet, limit int) []ref {
	var out []ref
	for kind := range x.lanes {
		if !want.has(kind) {
			continue
		}
		l := &x.lanes[kind]
		i, _ := l.search(seq)
		for n := 0; i < len(l.slots) && n < limit; i++ {
			if !l.slots[i].gone {
				out = append(out, ref{storepb.EntryType(kind), l.slots[i].seq})
				n++
			}
		}
	}
	sortRefs(out)
	return out[:min(len(out), limit)]
}

func sortRefs(refs []ref) {
	slices.SortFunc(refs, func(a, b ref) int { return cmp.Compare(a.seq, b.seq) })
}
