package store

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// scan bounds: a piece is read, the iterator closed, and only then are the callbacks called, so that they may write and
// scan themselves.
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
	queue, isQueue := queueKind(r.prefix)
	isQueue = isQueue && from == nil
	if isQueue {
		from = tx.store.floors.of(queue)
	}
	if from == nil {
		from = r.prefix
	}
	for seen := 0; ; {
		pairs, more, err := tx.piece(r, from)
		if err != nil {
			return err
		}
		if isQueue && seen == 0 && tx.steady {
			tx.raiseFloor(queue, pairs)
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

// raiseFloor notes where a queue begins, from the first piece of a scan of all of it.
func (tx *Tx) raiseFloor(queue kind, pairs []pair) {
	var first []byte
	if len(pairs) > 0 {
		first = bytes.Clone(pairs[0].key)
	}
	tx.store.floors.raise(queue, first, tx.puts)
}

// storedKeys goes through the keys of a range that are stored, from one to the next. Badger's own iterator would go through
// every former version of each, and a session that is much used has hundreds of these until the next compaction.
type storedKeys struct {
	*badger.Iterator
	prefix []byte
}

func (tx *Tx) storedKeys(prefix, from []byte) storedKeys {
	it := storedKeys{tx.txn.NewIterator(badger.IteratorOptions{Prefix: prefix, AllVersions: true}), prefix}
	it.Seek(from)
	it.skipGone()
	return it
}

func (it storedKeys) valid() bool { return it.ValidForPrefix(it.prefix) }

// next goes on to the next key that has a value.
func (it storedKeys) next() {
	it.leave()
	it.skipGone()
}

func (it storedKeys) skipGone() {
	for it.valid() && it.Item().IsDeletedOrExpired() {
		it.leave()
	}
}

// versionsStepped is how many former versions are stepped over before it is cheaper to look for the next key.
const versionsStepped = 4

// leave goes on to the newest version of another key.
func (it storedKeys) leave() {
	key := it.Item().KeyCopy(nil)
	for range versionsStepped {
		it.Next()
		if !it.valid() || !bytes.Equal(it.Item().Key(), key) {
			return
		}
	}
	it.Seek(append(key, 0))
}

// piece reads the next part of a range: what is stored, with what is pending over it.
func (tx *Tx) piece(r scanRange, from []byte) (pairs []pair, more bool, err error) {
	staged := tx.stagedKeys(r.prefix, from)
	it := tx.storedKeys(r.prefix, from)
	defer it.Close()
	for size := 0; len(pairs) < scanPieceCount && size < scanPieceBytes; {
		var p pair
		switch stored := it.valid(); {
		case !stored && len(staged) == 0:
			return pairs, false, nil
		case !stored || len(staged) > 0 && staged[0] <= string(it.Item().Key()):
			p.key = []byte(staged[0])
			staged = staged[1:]
			if stored && bytes.Equal(p.key, it.Item().Key()) {
				it.next()
			}
			entry := tx.pending[string(p.key)]
			if entry == nil {
				continue
			}
			p.value = bytes.Clone(entry.Value)
		default:
			p.key = it.Item().KeyCopy(nil)
			if !r.keysOnly {
				if p.value, err = it.Item().ValueCopy(nil); err != nil {
					return nil, false, &CorruptError{kindOf(p.key), err}
				}
			}
			it.next()
		}
		size += len(p.key) + len(p.value)
		pairs = append(pairs, p)
		if r.limit > 0 && len(pairs) == r.limit {
			break
		}
	}
	return pairs, true, nil
}

// stagedKeys lists the pending keys of a range in order.
func (tx *Tx) stagedKeys(prefix, from []byte) []string {
	var out []string
	for key := range tx.pending {
		if strings.HasPrefix(key, string(prefix)) && key >= string(from) {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// deleteAll deletes every key in the range, up to what fits in the transaction, and returns how many it deleted.
func (tx *Tx) deleteAll(r scanRange) (int, error) {
	r.keysOnly = true
	count := 0
	err := tx.scan(r, func(suffix, _ []byte) error {
		if tx.Fill() > 0.9 {
			return errStop
		}
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
	count := 0
	err := tx.scan(scanRange{prefix: prefix, keysOnly: true}, func(_, _ []byte) error {
		count++
		return nil
	})
	return count, err
}
