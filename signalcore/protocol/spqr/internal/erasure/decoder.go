package erasure

import (
	"encoding/binary"
	"slices"
)

const recordSize = 2 + ChunkSize

// Decoder collects chunks of one message until there are enough.
type Decoder struct {
	needed  int
	records []byte // big-endian index and data of each chunk, in the order of arrival
}

// NewDecoder returns a decoder for a message of the given size.
func NewDecoder(size int) (*Decoder, error) { return ParseDecoder(size, nil) }

// ParseDecoder returns the decoder that Marshal was called on, for a message of the given size.
func ParseDecoder(size int, records []byte) (*Decoder, error) {
	if err := checkSize(size); err != nil {
		return nil, err
	}
	d := &Decoder{needed: size / ChunkSize, records: slices.Clip(records)}
	if len(records)%recordSize != 0 || d.count() > d.needed {
		return nil, ErrSize
	}
	return d, nil
}

// Marshal returns the chunks collected so far.
func (d *Decoder) Marshal() []byte { return d.records }

func (d *Decoder) count() int { return len(d.records) / recordSize }

func (d *Decoder) record(i int) (index uint16, data []byte) {
	r := d.records[i*recordSize:][:recordSize]
	return binary.BigEndian.Uint16(r), r[2:]
}

// Add takes in a chunk. It ignores one that it has, or that is no longer needed.
func (d *Decoder) Add(chunk Chunk) {
	if d.count() >= d.needed {
		return
	}
	for i := range d.count() {
		if index, _ := d.record(i); index == chunk.Index {
			return
		}
	}
	d.records = binary.BigEndian.AppendUint16(d.records, chunk.Index)
	d.records = append(d.records, chunk.Data[:]...)
}

// Message returns the message once there are enough chunks.
func (d *Decoder) Message() (message []byte, complete bool) {
	if d.count() < d.needed {
		return nil, false
	}
	message = make([]byte, d.needed*ChunkSize)
	var have [MaxChunks]bool
	missing := d.needed
	for i := range d.needed {
		index, data := d.record(i)
		if int(index) < d.needed && !have[index] {
			copy(message[int(index)*ChunkSize:], data)
			have[index] = true
			missing--
		}
	}
	if missing > 0 {
		d.interpolate(message, have[:d.needed])
	}
	return message, true
}

// interpolate fills in the chunks of the message that have not arrived themselves.
func (d *Decoder) interpolate(message []byte, have []bool) {
	nodes := make([]uint16, d.needed)
	rows := make([]row, d.needed)
	for i := range nodes {
		index, data := d.record(i)
		nodes[i], rows[i] = index, parseRow(data)
	}
	products := denominators(nodes)
	for i, present := range have {
		if present {
			continue
		}
		sum := combine(basis(nodes, products, uint16(i)), rows)
		data := sum.bytes()
		copy(message[i*ChunkSize:], data[:])
	}
}
