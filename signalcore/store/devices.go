package store

import (
	"slices"
	"strings"
)

// maxDeviceLists bounds what deviceLists remembers.
const maxDeviceLists = 1024

// deviceLists remembers which sessions are stored with a service id, by their keys' prefix: every send asks. It is the
// writer's alone, which sees what is stored now; what its transactions change is forgotten.
type deviceLists map[string][]string

// storedSessions returns the keys of the stored sessions with a prefix, in order.
func (tx *Tx) storedSessions(prefix []byte) []string {
	writer, lists := tx.pending != nil, tx.store.devices
	if writer {
		if known, ok := lists[string(prefix)]; ok {
			return known
		}
	}
	it := tx.storedKeys(prefix, prefix)
	defer it.Close()
	keys := []string{}
	for ; it.valid(); it.next() {
		keys = append(keys, string(it.Item().KeyCopy(nil)))
	}
	if writer {
		if len(lists) >= maxDeviceLists {
			clear(lists)
		}
		lists[string(prefix)] = keys
	}
	return keys
}

// forget drops the lists that a transaction is about to change.
func (l deviceLists) forget(tx *Tx) {
	for key, entry := range tx.pending {
		if !strings.HasPrefix(key, string(kindSession)+"/") {
			continue
		}
		prefix := key[:len(key)-4] // the device's number
		if known, ok := l[prefix]; ok && (entry == nil || !slices.Contains(known, key)) {
			delete(l, prefix)
		}
	}
}

// sessionKeys returns the keys of the sessions with a prefix: those stored, and what is pending over them.
func (tx *Tx) sessionKeys(prefix []byte) []string {
	var keys []string
	for _, key := range tx.storedSessions(prefix) {
		if _, staged := tx.pending[key]; !staged {
			keys = append(keys, key)
		}
	}
	for key, entry := range tx.pending {
		if entry != nil && strings.HasPrefix(key, string(prefix)) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}
