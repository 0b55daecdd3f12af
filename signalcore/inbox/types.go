package inbox

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// typeSet is a set of lanes.
type typeSet uint32

func (s typeSet) has(lane int) bool { return s&(1<<lane) != 0 }

// typesOf makes the set of the given types; none means all but receipts and typing. What stands in the place of a
// message (one that could not be read, a notice) comes with messages.
func typesOf(list []storepb.EntryType) typeSet {
	if len(list) == 0 {
		all := typeSet(1<<types - 1)
		return all &^ (1<<storepb.EntryType_ENTRY_RECEIPT | 1<<storepb.EntryType_ENTRY_TYPING)
	}
	var out typeSet
	for _, t := range list {
		out |= 1 << laneOf(t)
		if t == storepb.EntryType_ENTRY_MESSAGE {
			out |= 1<<storepb.EntryType_ENTRY_UNREADABLE | 1<<storepb.EntryType_ENTRY_NOTICE
		}
	}
	return out
}

var errID = errors.New("not a message id")

// formatID names an entry: its number, and a tag, so that an id from another data directory names nothing here.
func formatID(seq uint64, tag uint32) string {
	b := binary.BigEndian.AppendUint64(nil, seq)
	return hex.EncodeToString(binary.BigEndian.AppendUint32(b, tag))
}

func parseID(id string) (seq uint64, tag uint32, err error) {
	var b [12]byte
	if len(id) != 2*len(b) {
		return 0, 0, errID
	}
	if _, err := hex.Decode(b[:], []byte(id)); err != nil {
		return 0, 0, errID
	}
	return binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint32(b[8:]), nil
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
