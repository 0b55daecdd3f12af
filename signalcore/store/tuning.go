package store

import (
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"github.com/rs/zerolog"
)

const (
	minMemTable = 2 << 20
	maxMemTable = 64 << 20
	// MaxRecordBytes bounds one record. The service takes messages of at most 96 KiB (Signal-Server, MessageSender).
	MaxRecordBytes = 256 << 10
	maxKeyBytes    = 1024
)

// badgerOptions are sized for a small machine. Badger keeps one memtable in use and up to NumMemtables+1 on their way
// to disk, each a skiplist of 1.3 times MemTableSize and a mapped log of as much as was written.
//
// Every value lies in the LSM tree, none in the value log: records are small, the log's sync errors are only logged by
// Badger, and there is no log to collect garbage from. Compression is off: ciphertexts and keys do not shrink.
func badgerOptions(dir string, opts Options, log zerolog.Logger) badger.Options {
	cache, indexes := opts.CacheBytes/2, int64(0)
	if len(opts.EncryptionKey) > 0 { // both are decrypted copies, and Badger insists on a place for them
		cache, indexes = max(cache, 2<<20), 2<<20
	}
	o := badger.DefaultOptions(dir).
		WithSyncWrites(true).
		WithDetectConflicts(false). // one writer
		WithMetricsEnabled(false).
		WithLogger(badgerLogger{log}).
		WithMemTableSize(memTableSize(opts.CacheBytes)).
		WithNumMemtables(1).
		WithNumLevelZeroTables(3).
		WithNumLevelZeroTablesStall(8).
		WithNumCompactors(2).
		WithBaseTableSize(2 << 20).
		WithBaseLevelSize(8 << 20).
		WithValueThreshold(MaxRecordBytes + 1024).
		WithValueLogFileSize(1 << 20).
		WithCompression(options.None).
		WithChecksumVerificationMode(options.OnBlockRead).
		WithBlockCacheSize(cache).
		WithIndexCacheSize(indexes)
	if len(opts.EncryptionKey) > 0 {
		o = o.WithEncryptionKey(opts.EncryptionKey).WithEncryptionKeyRotationDuration(30 * 24 * time.Hour)
	}
	return o
}

func memTableSize(cacheBytes int64) int64 { return min(max(cacheBytes/4, minMemTable), maxMemTable) }

// walBytes is how far a transaction can write into a memtable's log: Badger turns to a new one when the old one is past
// MemTableSize, and a transaction is at most 15 % of that.
func walBytes(o badger.Options) int64 { return o.MemTableSize + o.MemTableSize*3/10 }
