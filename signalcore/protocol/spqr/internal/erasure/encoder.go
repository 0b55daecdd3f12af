package erasure

// Encoder makes the chunks of one message, in order.
type Encoder struct {
	message []byte
	next    uint16
}

// NewEncoder returns an encoder for message, which must be whole chunks and is not copied. Next starts at the chunk
// with the given index; after chunk 65535 it starts over.
func NewEncoder(message []byte, next uint16) (*Encoder, error) {
	if err := checkSize(len(message)); err != nil {
		return nil, err
	}
	return &Encoder{message: message, next: next}, nil
}

// Message returns the message.
func (e *Encoder) Message() []byte { return e.message }

// NextIndex returns the index of the chunk that Next will return.
func (e *Encoder) NextIndex() uint16 { return e.next }

// Next returns the next chunk.
func (e *Encoder) Next() Chunk {
	chunk := e.at(e.next)
	e.next++
	return chunk
}

func (e *Encoder) at(index uint16) Chunk {
	n := len(e.message) / ChunkSize
	if int(index) < n {
		return Chunk{index, [ChunkSize]byte(e.message[int(index)*ChunkSize:])}
	}
	var nodes [MaxChunks]uint16
	var rows [MaxChunks]row
	for j := range n {
		nodes[j] = uint16(j)
		rows[j] = parseRow(e.message[j*ChunkSize:])
	}
	sum := combine(basis(nodes[:n], systematic[n][:n], index), rows[:n])
	return Chunk{index, sum.bytes()}
}
