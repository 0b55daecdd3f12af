package store

import (
	"errors"
	"time"

	"github.com/dgraph-io/badger/v4"
	"google.golang.org/protobuf/proto"
)

// Tx is a transaction, valid until the function it was given to returns. It reads its own writes. It is not safe for
// use by several goroutines.
type Tx struct {
	txn   *badger.Txn
	store *Store
	hooks []func()
	// pending holds what Badger is given only at the end, with nil for a deletion: so that an Attempt can be undone, and
	// because Badger counts every write against the transaction's bounds, also those that replace one another, where a
	// batch writes the same sessions again and again.
	pending map[string]*badger.Entry
	bytes   int64  // in pending
	journal []undo // while in an Attempt
	depth   int
	puts    uint64 // of the store's floors when this began
	steady  bool   // whether these may be raised by what is read here
	failed  error  // a write that was refused: without it the rest must not be committed, even if the caller goes on
}

// undo says what was pending under a key before.
type undo struct {
	key   string
	entry *badger.Entry
	had   bool
}

// Now is the store's clock.
func (tx *Tx) Now() time.Time { return tx.store.opts.Now() }

func (tx *Tx) nowMillis() int64 { return tx.Now().UnixMilli() }

// OnCommit has fn called once the transaction is on disk, before Update returns and before the next writer. fn must
// not call Update. Nothing is called when the transaction fails.
func (tx *Tx) OnCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

// lookUp gives fn the value under a key, valid during the call.
func (tx *Tx) lookUp(key []byte, fn func(value []byte) error) error {
	staged, isStaged := tx.pending[string(key)]
	var err error
	if isStaged && staged != nil {
		err = fn(staged.Value)
	} else if isStaged {
		return ErrNotFound
	} else {
		err = tx.stored(key, fn)
	}
	if err != nil && err != ErrNotFound {
		return &CorruptError{kindOf(key), err}
	}
	return err
}

func (tx *Tx) stored(key []byte, fn func(value []byte) error) error {
	item, err := tx.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	return item.Value(fn)
}

func (tx *Tx) get(key []byte) (value []byte, err error) {
	err = tx.lookUp(key, func(b []byte) error {
		value = append([]byte{}, b...)
		return nil
	})
	return value, err
}

func (tx *Tx) has(key []byte) (bool, error) {
	err := tx.lookUp(key, func([]byte) error { return nil })
	return err == nil, orEmpty(err)
}

func (tx *Tx) read(key []byte, into proto.Message) error {
	return tx.lookUp(key, func(b []byte) error { return proto.Unmarshal(b, into) })
}

func (tx *Tx) write(key []byte, record proto.Message) error { return tx.writeFor(key, record, 0) }

// writeFor writes a record that Badger forgets after the given time by the wall clock; 0 keeps it.
func (tx *Tx) writeFor(key []byte, record proto.Message, life time.Duration) error {
	value, err := proto.Marshal(record)
	if err != nil {
		return err
	}
	return tx.putFor(key, value, life)
}

func (tx *Tx) put(key, value []byte) error { return tx.putFor(key, value, 0) }

func (tx *Tx) putFor(key, value []byte, life time.Duration) error {
	if len(value) > MaxRecordBytes {
		tx.failed = ErrRecordTooBig
		return tx.failed
	}
	entry := badger.NewEntry(key, value)
	if life > 0 {
		entry = entry.WithTTL(life)
	}
	return tx.stage(key, entry)
}

func (tx *Tx) delete(key []byte) error { return tx.stage(key, nil) }

func (tx *Tx) stage(key []byte, entry *badger.Entry) error {
	if tx.pending == nil {
		return ErrReadOnlyTx
	}
	if len(key) > maxKeyBytes {
		tx.failed = ErrRecordTooBig
		return tx.failed
	}
	before, had := tx.pending[string(key)]
	if tx.depth > 0 {
		tx.journal = append(tx.journal, undo{string(key), before, had})
	}
	if had {
		tx.bytes -= weight(key, before)
	}
	tx.bytes += weight(key, entry)
	tx.pending[string(key)] = entry
	return nil
}

// weight is a little more than what Badger counts for an entry.
func weight(key []byte, entry *badger.Entry) int64 {
	if entry == nil {
		return int64(len(key)) + 24
	}
	return int64(len(key)+len(entry.Value)) + 24
}

// Attempt runs fn and undoes what it wrote if it fails or panics, and only that: one bad message must not spoil its
// batch. A panic goes on to the caller.
func (tx *Tx) Attempt(fn func() error) (err error) {
	mark, hooks, failed := len(tx.journal), len(tx.hooks), tx.failed
	tx.depth++
	done := false
	defer func() {
		tx.depth--
		if !done || err != nil {
			tx.rollBack(mark)
			tx.hooks, tx.failed = tx.hooks[:hooks], failed
		}
		if tx.depth == 0 {
			tx.journal = nil
		}
	}()
	err = fn()
	if err == nil && tx.failed != failed {
		err = tx.failed
	}
	done = true
	return err
}

func (tx *Tx) rollBack(mark int) {
	for len(tx.journal) > mark {
		u := tx.journal[len(tx.journal)-1]
		tx.journal = tx.journal[:len(tx.journal)-1]
		tx.bytes -= weight([]byte(u.key), tx.pending[u.key])
		if !u.had {
			delete(tx.pending, u.key)
			continue
		}
		tx.bytes += weight([]byte(u.key), u.entry)
		tx.pending[u.key] = u.entry
	}
}

// Fill says how much of what one transaction can hold is used: at 1 and above, the commit fails with ErrBatchTooBig. Who
// makes batches ends one early enough.
func (tx *Tx) Fill() float64 {
	db := tx.store.db
	return max(float64(len(tx.pending)+2)/float64(db.MaxBatchCount()), float64(tx.bytes+64)/float64(db.MaxBatchSize()))
}

// flush hands the writes to Badger, before the commit.
func (tx *Tx) flush() error {
	if tx.failed != nil {
		return tx.failed
	}
	for key, entry := range tx.pending {
		var err error
		if entry == nil {
			err = tx.txn.Delete([]byte(key))
		} else {
			err = tx.txn.SetEntry(entry)
		}
		if errors.Is(err, badger.ErrTxnTooBig) {
			return ErrBatchTooBig
		}
		if err != nil {
			return err
		}
	}
	return nil
}
