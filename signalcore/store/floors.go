package store

import (
	"bytes"
	"sync"
)

// queueKinds are those whose keys come and go: in Badger each deleted one stays as a mark until a compaction reaches it,
// and a scan from the start would go through all of them every time.
var queueKinds = [...]kind{kindOutgoingQueue, kindJobDue, kindReceipt, kindAttachmentDue}

// floors knows, for each of these kinds, a key below which nothing is stored, so that a scan can start there. It is in
// memory only: the first scan after opening finds out.
type floors struct {
	mu      sync.Mutex
	keys    map[kind][]byte
	puts    uint64 // how often keys were written
	writing bool   // a transaction that writes such keys is being committed
}

// pastAll is above every key that follows a kind's prefix.
var pastAll = bytes.Repeat([]byte{0xff}, 32)

func (f *floors) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.keys, f.writing = make(map[kind][]byte, len(queueKinds)), false
	f.puts++
}

// mark is taken before a transaction reads: only if nothing was written since may its scans raise a floor.
func (f *floors) mark() (puts uint64, steady bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.puts, !f.writing
}

func (f *floors) of(k kind) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.keys[k]
}

// raise notes that a scan of the whole kind found nothing below first, or nothing at all where that is nil.
func (f *floors) raise(k kind, first []byte, puts uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.puts != puts || f.writing {
		return
	}
	if first == nil {
		first = k.key(pastAll)
	}
	f.keys[k] = first
}

// lower is called before a commit with the keys that it writes; settled after it, however it went.
func (f *floors) lower(k kind, key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing = true
	f.puts++
	if known := f.keys[k]; known != nil && key < string(known) {
		f.keys[k] = []byte(key)
	}
}

func (f *floors) settled() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing = false
}

// queueKind reports whether a prefix is that of a whole kind with a floor.
func queueKind(prefix []byte) (kind, bool) {
	for _, k := range queueKinds {
		if len(prefix) == len(k)+1 && string(prefix[:len(k)]) == string(k) {
			return k, true
		}
	}
	return "", false
}

// lowerFloors tells of the keys that a transaction is about to write.
func (tx *Tx) lowerFloors() {
	for key, entry := range tx.pending {
		if entry == nil {
			continue
		}
		for _, k := range queueKinds {
			if len(key) > len(k) && key[len(k)] == '/' && key[:len(k)] == string(k) {
				tx.store.floors.lower(k, key)
			}
		}
	}
}
