package store

import (
	"time"

	"signalbox/signalcore/signalpb/storepb"
)

// SeenFor is how long an envelope is remembered, by the wall clock. The service keeps messages as long.
const SeenFor = 30 * 24 * time.Hour

// Seen reports whether an envelope was processed before, by its server GUID or its hash.
func (tx *Tx) Seen(mark []byte) (bool, error) { return tx.has(kindSeen.key(mark)) }

// MarkSeen remembers it, in the transaction that does what it asks for.
func (tx *Tx) MarkSeen(mark []byte) error { return tx.putFor(kindSeen.key(mark), nil, SeenFor) }

// Quarantine keeps an envelope that could not be processed, as it came.
func (tx *Tx) Quarantine(q *storepb.Quarantined) error {
	seq, err := tx.next(kindQuarantine)
	if err != nil {
		return err
	}
	q.Seq = seq
	return tx.write(kindQuarantine.key(be64(q.Seq)), q)
}

// Quarantined calls fn for up to limit envelopes in quarantine, oldest first, from the given one on.
func (tx *Tx) Quarantined(from uint64, limit int, fn func(*storepb.Quarantined) error) error {
	r := scanRange{prefix: kindQuarantine.key(), from: kindQuarantine.key(be64(from)), limit: limit}
	return tx.scan(r, func(_, value []byte) error {
		q := new(storepb.Quarantined)
		if err := decode(kindQuarantine, value, q); err != nil {
			return err
		}
		return fn(q)
	})
}

// DeleteQuarantined removes an envelope that a later version could process.
func (tx *Tx) DeleteQuarantined(seq uint64) error { return tx.delete(kindQuarantine.key(be64(seq))) }

// CountQuarantined counts them.
func (tx *Tx) CountQuarantined() (int, error) { return tx.count(kindQuarantine.key()) }

// Counter reads a counter; one never counted is 0.
func (tx *Tx) Counter(name string) (uint64, error) {
	var c storepb.Counter
	err := orEmpty(tx.read(kindCounter.key([]byte(name)), &c))
	return c.Value, err
}

// Count adds to a counter.
func (tx *Tx) Count(name string, add uint64) error {
	value, err := tx.Counter(name)
	if err != nil {
		return err
	}
	return tx.write(kindCounter.key([]byte(name)), &storepb.Counter{Value: value + add})
}

// next hands out the numbers of a kind, from 1 up, none of them twice.
func (tx *Tx) next(k kind) (uint64, error) {
	var c storepb.Counter
	key := kindMeta.key([]byte("next/"), []byte(k))
	if err := orEmpty(tx.read(key, &c)); err != nil {
		return 0, err
	}
	c.Value++
	return c.Value, tx.write(key, &c)
}
