package signalcore

import (
	"io"
	"sync"
	"sync/atomic"

	"signalbox/signalcore/model"
)

// transfers are the attachments that are on their way, for whoever shows them. What that costs an attachment is a number
// set for each piece of it that is read or written, whether anyone looks or not.
type transfers struct {
	mu     sync.Mutex
	begun  uint64
	active map[*transfer]struct{}
}

// transfer is one of them.
type transfer struct {
	of   *transfers
	done atomic.Int64
	what model.Transfer // but for Done; under of.mu
}

func newTransfers() *transfers { return &transfers{active: make(map[*transfer]struct{})} }

// begin lists one; who began it calls end.
func (t *transfers) begin(what model.Transfer) *transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun++
	what.ID = t.begun
	one := &transfer{of: t, what: what}
	t.active[one] = struct{}{}
	return one
}

// moves says that the preparations are over.
func (t *transfer) moves() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.what.Preparing = false
}

func (t *transfer) end() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	delete(t.of.active, t)
}

// Transfers are the attachments that are on their way, in no order.
func (c *Client) Transfers() []model.Transfer {
	c.transfers.mu.Lock()
	defer c.transfers.mu.Unlock()
	out := make([]model.Transfer, 0, len(c.transfers.active))
	for t := range c.transfers.active {
		what := t.what
		what.Done = min(t.done.Load(), what.Size) // what is sent has some padding at its end
		out = append(out, what)
	}
	return out
}

// sentFrom follows what is read of a body that is sent: where a transfer goes on from an earlier place, so does the count.
type sentFrom struct {
	io.ReaderAt
	transfer *transfer
}

func (s sentFrom) ReadAt(p []byte, offset int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, offset)
	s.transfer.done.Store(offset + int64(n))
	return n, err
}

// receivedInto follows what is written of something that is received.
type receivedInto struct {
	io.Writer
	transfer *transfer
}

func (r receivedInto) Write(p []byte) (int, error) {
	n, err := r.Writer.Write(p)
	r.transfer.done.Add(int64(n))
	return n, err
}
