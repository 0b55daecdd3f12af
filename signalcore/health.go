package signalcore

import (
	"context"
	"sync"
	"time"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/store"
)

// health remembers what status shows and no other part knows.
type health struct {
	now func() time.Time

	mu        sync.Mutex
	throttled time.Time
	lastError string
	errorAt   time.Time
}

func newHealth(now func() time.Time) *health { return &health{now: now} }

// throttle notes that the service wants no more until then.
func (h *health) throttle(until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.throttled = until
	h.lastError, h.errorAt = "the service limits the rate of requests", h.now()
}

// fail notes an error that a person may want to know of.
func (h *health) fail(err error) {
	if err == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastError, h.errorAt = err.Error(), h.now()
}

// Connection is the state of the connection to the service, and why it is not a better one.
func (c *Client) Connection() (state model.ConnectionState, reason string) {
	state, reason, _ = c.connector.snapshot()
	return state, reason
}

// Status implements commands.AccountInfo. What cannot be read from the store stays zero: status must answer.
func (c *Client) Status(ctx context.Context) model.Status {
	var out model.Status
	out.Connection, out.Reason, out.Since = c.connector.snapshot()
	if a := c.accounts.get(); a != nil {
		account := a.model()
		if known, err := c.Account(ctx); err == nil {
			account = known
		}
		out.Account = &account
	}
	out.LastMessage = timeOf(c.receiver.lastMessage.Load())
	out.LastLoopStep = timeOf(c.progress.last.Load())
	out.LastFrame = c.connector.lastFrame()
	in := c.inbox.Status()
	out.InboxMessages, out.InboxBytes, out.InboxMaxBytes = in.Depth, in.Bytes, c.config.InboxMaxBytes
	c.health.mu.Lock()
	out.ThrottledUntil, out.LastError, out.LastErrorAt = c.health.throttled, c.health.lastError, c.health.errorAt
	c.health.mu.Unlock()
	if !out.ThrottledUntil.After(c.config.Now()) {
		out.ThrottledUntil = time.Time{}
	}
	if err := c.store.RoomForFiles(0); err != nil {
		out.LastError, out.LastErrorAt = storageError(err).Error(), c.config.Now()
	}
	if err := c.store.View(func(tx *store.Tx) error { return c.countInto(tx, &out) }); err != nil {
		out.LastError, out.LastErrorAt = storageError(err).Error(), c.config.Now()
	}
	return out
}

func (c *Client) countInto(tx *store.Tx, out *model.Status) error {
	queued, err := tx.CountUnfinishedOutgoing()
	if err != nil {
		return err
	}
	jobs, err := tx.CountJobs()
	if err != nil {
		return err
	}
	receipts, err := tx.CountReceipts()
	if err != nil {
		return err
	}
	out.OutboxDepth = queued + jobs + receipts
	if out.Quarantined, err = tx.CountQuarantined(); err != nil {
		return err
	}
	dropped, err := tx.Counter(counterDropped)
	if err != nil {
		return err
	}
	out.Dropped = int(dropped)
	aci, err := tx.PreKeyState(serviceid.ACI)
	if err != nil {
		return err
	}
	pni, err := tx.PreKeyState(serviceid.PNI)
	out.PreKeys = model.PreKeyCounts{
		ACIEC: int(aci.GetServiceEcCount()), ACIKyber: int(aci.GetServiceKyberCount()),
		PNIEC: int(pni.GetServiceEcCount()), PNIKyber: int(pni.GetServiceKyberCount()),
	}
	return err
}
