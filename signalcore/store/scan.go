package store

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// scan bounds: a piece is read, the iterator closed, and only then are the callbacks called, so that they may write and
// scan themselves (Badger allows one iterator in a writing transaction).
const (
	scanPieceCount = 256
	scanPieceBytes = 1 << 20
)

type scanRange struct {
	prefix   []byte
	from     []byte // the first key, prefix included; nil for the start
	limit    int    // 0: all
	keysOnly bool
}

var errStop = errors.New("stop scanning")

type pair struct{ key, value []byte }

// scan calls fn for each key in the range, in order, with the part of the key after the prefix. fn returns errStop to
// end it early.
func (tx *Tx) scan(r scanRange, fn func(suffix, value []byte) error) error {
	from := r.from
	if from == nil {
		from = r.prefix
	}
	for seen := 0; ; {
		pairs, more, err := tx.piece(r, from)
		if err != nil {
			return err
		}
		for _, p := range pairs {
			if err := fn(p.key[len(r.prefix):], p.value); err == errStop {
				return nil
			} else if err != nil {
				return err
			}
			if seen++; r.limit > 0 && seen == r.limit {
				return nil
			}
		}
		if !more {
			return nil
		}
		from = append(pairs[len(pairs)-1].key, 0)
	}
}

func (tx *Tx) piece(r scanRange, from []byte) (pairs []pair, more bool, err error) {
	if err := tx.flush(); err != nil {
		return nil, false, err
	}
	o := badger.IteratorOptions{Prefix: r.prefix, PrefetchValues: false}
	it := tx.txn.NewIterator(o)
	defer it.Close()
	count := scanPieceCount
	if r.limit > 0 {
		count = min(count, r.limit)
	}
	size := 0
	for it.Seek(from); it.ValidForPrefix(r.prefix); it.Next() {
		if len(pairs) == count || size >= scanPieceBytes {
			return pairs, true, nil
		}
		item := it.Item()
		p := pair{key: item.KeyCopy(nil)}
		if !r.keysOnly {
			if p.value, err = item.ValueCopy(nil); err != nil {
				return nil, false, &CorruptError{kindOf(p.key), err}
			}
		}
		size += len(p.key) + len(p.value)
		pairs = append(pairs, p)
	}
	return pairs, false, nil
}

// deleteAll deletes every key in the range and returns how many there were.
func (tx *Tx) deleteAll(r scanRange) (int, error) {
	r.keysOnly = true
	count := 0
	err := tx.scan(r, func(suffix, _ []byte) error {
		count++
		return tx.delete(append(bytes.Clone(r.prefix), suffix...))
	})
	return count, err
}

// decode reads a scanned value, of which an unreadable one is an error rather than a gap.
func decode(k kind, value []byte, into proto.Message) error {
	if err := proto.Unmarshal(value, into); err != nil {
		return &CorruptError{string(k), err}
	}
	return nil
}

func (tx *Tx) count(prefix []byte) (int, error) {
	if err := tx.flush(); err != nil {
		return 0, err
	}
	it := tx.txn.NewIterator(badger.IteratorOptions{Prefix: prefix})
	defer it.Close()
	count := 0
	for it.Rewind(); it.ValidForPrefix(prefix); it.Next() {
		count++
	}
	return count, nil
}
