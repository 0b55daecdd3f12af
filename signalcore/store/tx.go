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
	txn    *badger.Txn
	store  *Store
	hooks  []func()
	failed error
	// pending holds what Badger has not been given yet: it counts every write against the transaction's bounds, also
	// those that replace one another, and a batch writes the same sessions again and again.
	pending map[string]*badger.Entry
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
		return ErrRecordTooBig
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
	tx.pending[string(key)] = entry
	return nil
}

// flush hands the writes to Badger: before a scan, whose iterator must see them, and before the commit.
func (tx *Tx) flush() error {
	for key, entry := range tx.pending {
		if tx.failed != nil { // perhaps overlooked by the caller; half of it must not be committed
			return tx.failed
		}
		if entry == nil {
			tx.failed = tx.txn.Delete([]byte(key))
		} else {
			tx.failed = tx.txn.SetEntry(entry)
		}
		if errors.Is(tx.failed, badger.ErrTxnTooBig) {
			tx.failed = ErrBatchTooBig
		}
	}
	clear(tx.pending)
	return tx.failed
}
