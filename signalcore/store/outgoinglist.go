package store

import (
	"github.com/dgraph-io/badger/v4"

	"signalbox/signalcore/signalpb/storepb"
)

// LatestOutgoing calls fn for up to limit sends, the newest first.
func (tx *Tx) LatestOutgoing(limit int, fn func(*storepb.Outgoing) error) error {
	timestamps, err := tx.latest(kindOutgoing, limit)
	if err != nil {
		return err
	}
	for _, timestamp := range timestamps {
		o, err := tx.Outgoing(timestamp)
		if orEmpty(err) != nil {
			return err
		}
		if err != nil { // its day is over
			continue
		}
		if err := fn(o); err != nil {
			return err
		}
	}
	return nil
}

// latest returns the greatest numbers of a kind whose keys are one number each.
func (tx *Tx) latest(k kind, limit int) ([]uint64, error) {
	prefix := k.key()
	it := tx.txn.NewIterator(badger.IteratorOptions{Prefix: prefix, Reverse: true})
	defer it.Close()
	var out []uint64
	for it.Seek(append(k.key(), 0xff)); it.ValidForPrefix(prefix) && len(out) < limit; it.Next() {
		number, err := parseU64(it.Item().KeyCopy(nil)[len(prefix):])
		if err != nil {
			return nil, &CorruptError{string(k), err}
		}
		out = append(out, number)
	}
	return out, nil
}
