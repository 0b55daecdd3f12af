package spqr

import (
	"encoding/binary"
	"sort"
)

const skippedSize = 4 + keySize

// skippedKeys are keys of messages that later ones have overtaken: big-endian index and key, in order of index.
type skippedKeys []byte

func (s skippedKeys) len() int { return len(s) / skippedSize }

func (s skippedKeys) index(i int) uint32 { return binary.BigEndian.Uint32(s[i*skippedSize:]) }

// add appends a key whose index is higher than that of all others.
func (s *skippedKeys) add(index uint32, key []byte) {
	*s = append(binary.BigEndian.AppendUint32(*s, index), key...)
}

// search returns the position of the first key with this index or a higher one.
func (s skippedKeys) search(index uint32) int {
	return sort.Search(s.len(), func(i int) bool { return s.index(i) >= index })
}

// take removes a key and returns it.
func (s *skippedKeys) take(index uint32) (key []byte, ok bool) {
	i := s.search(index)
	if i == s.len() || s.index(i) != index {
		return nil, false
	}
	entry := (*s)[i*skippedSize : (i+1)*skippedSize]
	key = append([]byte(nil), entry[4:]...)
	*s = append((*s)[:i*skippedSize], (*s)[(i+1)*skippedSize:]...)
	return key, true
}

// trim drops the keys below an index.
func (s *skippedKeys) trim(index uint32) { *s = (*s)[s.search(index)*skippedSize:] }
