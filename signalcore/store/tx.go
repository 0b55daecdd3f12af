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
}

// Now is the store's clock.
func (tx *Tx) Now() time.Time { return tx.store.opts.Now() }

func (tx *Tx) nowMillis() int64 { return tx.Now().UnixMilli() }

// OnCommit has fn called once the transaction is on disk, before Update returns and before the next writer. fn must
// not call Update. Nothing is called when the transaction fails.
func (tx *Tx) OnCommit(fn func()) { tx.hooks = append(tx.hooks, fn) }

func (tx *Tx) item(key []byte) (*badger.Item, error) {
	item, err := tx.txn.Get(key)
	switch {
	case errors.Is(err, badger.ErrKeyNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, &CorruptError{kindOf(key), err}
	}
	return item, nil
}

func (tx *Tx) get(key []byte) ([]byte, error) {
	item, err := tx.item(key)
	if err != nil {
		return nil, err
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, &CorruptError{kindOf(key), err}
	}
	return value, nil
}

func (tx *Tx) has(key []byte) (bool, error) {
	_, err := tx.item(key)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (tx *Tx) read(key []byte, into proto.Message) error {
	item, err := tx.item(key)
	if err != nil {
		return err
	}
	if err := item.Value(func(b []byte) error { return proto.Unmarshal(b, into) }); err != nil {
		return &CorruptError{kindOf(key), err}
	}
	return nil
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
	return tx.fail(tx.txn.SetEntry(entry))
}

func (tx *Tx) delete(key []byte) error { return tx.fail(tx.txn.Delete(key)) }

// fail names a failed write, and makes the transaction fail even where the caller overlooks it: half of it must not
// be committed.
func (tx *Tx) fail(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, badger.ErrTxnTooBig):
		err = ErrBatchTooBig
	case errors.Is(err, badger.ErrReadOnlyTxn):
		err = ErrReadOnlyTx
	}
	tx.failed = err
	return err
}
