package messages

import (
	"context"
	"errors"
	"slices"
	"sync"

	"signalbox/sandbox/faults"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// maxQueued bounds what waits for one device; the live service limits the bytes that an account gets a day.
const maxQueued = 20_000

// ErrDisplaced ends a consumer when the same device opens another.
var ErrDisplaced = errors.New("the device is connected elsewhere")

// ErrRemoved ends a consumer when the device is unlinked.
var ErrRemoved = errors.New("the device is not linked any more")

// errFull is returned for a message to a queue that is full.
var errFull = errors.New("the queue is full")

// queues are the messages that wait, by device.
type queues struct {
	changed func() // told of messages that come and go; it does not call back

	mu      sync.Mutex
	queues  map[wire.Device]*queue
	lastSeq uint64
}

type queue struct {
	waiting  []queued // in order
	consumer *Consumer
	deaf     []*Consumer
}

type queued struct {
	sequence uint64
	envelope *servicepb.Envelope
	taken    *Consumer // by which it was taken last
	repeated bool      // a fault has kept it in the queue once
}

func newQueues() *queues { return &queues{changed: func() {}, queues: map[wire.Device]*queue{}} }

// of needs mu.
func (q *queues) of(device wire.Device) *queue {
	if q.queues[device] == nil {
		q.queues[device] = &queue{}
	}
	return q.queues[device]
}

// add appends an envelope. One that is ephemeral is for who is there now.
func (q *queues) add(device wire.Device, envelope *servicepb.Envelope) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	target := q.of(device)
	if envelope.GetEphemeral() && target.consumer == nil {
		return nil
	}
	if len(target.waiting) >= maxQueued {
		return errFull
	}
	q.changed()
	q.lastSeq++
	target.waiting = append(target.waiting, queued{sequence: q.lastSeq, envelope: envelope})
	if target.consumer != nil {
		target.consumer.wake()
	}
	return nil
}

// full reports whether one of the devices takes nothing more.
func (q *queues) full(devices []wire.Device) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(devices, func(d wire.Device) bool {
		return q.queues[d] != nil && len(q.queues[d].waiting) >= maxQueued
	})
}

// length is how many messages wait for a device.
func (q *queues) length(device wire.Device) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.queues[device] == nil {
		return 0
	}
	return len(q.queues[device].waiting)
}

// remove forgets a device and what is for it.
func (q *queues) remove(device wire.Device) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if target := q.queues[device]; target != nil {
		if target.consumer != nil {
			target.consumer.end(ErrRemoved)
		}
		for _, c := range target.deaf {
			c.end(ErrRemoved)
		}
	}
	delete(q.queues, device)
	q.changed()
}

// Consumer takes the messages of one device, in order. What it does not acknowledge stays in the queue, for the next
// one.
type Consumer struct {
	queues *queues
	device wire.Device
	faults *faults.Switches
	names  []string // of the account, as faults have them
	ended  chan struct{}

	// guarded by queues.mu
	deaf     bool   // it takes nothing
	backlog  uint64 // of the last message that was there at the beginning
	reported bool   // that the backlog is empty
	changed  chan struct{}
	err      error
}

// Delivery is what a consumer takes: a message, or the word that nothing is left of what waited when it was opened.
type Delivery struct {
	Envelope   *servicepb.Envelope
	QueueEmpty bool

	sequence uint64
}

// open makes a device's consumer, and ends the one before.
func (q *queues) open(device wire.Device, switches *faults.Switches, names []string) *Consumer {
	q.mu.Lock()
	defer q.mu.Unlock()
	target := q.of(device)
	if target.consumer != nil {
		target.consumer.end(ErrDisplaced)
	}
	c := &Consumer{
		queues: q, device: device, faults: switches, names: names,
		ended: make(chan struct{}), changed: make(chan struct{}, 1),
	}
	if n := len(target.waiting); n > 0 {
		c.backlog = target.waiting[n-1].sequence
	}
	target.consumer = c
	return c
}

// openDeaf makes a consumer that gets no messages, and learns when the device is removed. There may be many of them.
func (q *queues) openDeaf(device wire.Device) *Consumer {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := &Consumer{queues: q, device: device, deaf: true, ended: make(chan struct{}), changed: make(chan struct{}, 1)}
	target := q.of(device)
	target.deaf = append(target.deaf, c)
	return c
}

// wake needs queues.mu.
func (c *Consumer) wake() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// end needs queues.mu.
func (c *Consumer) end(why error) {
	if c.err == nil {
		c.err = why
		close(c.ended)
	}
}

// Next waits for the next delivery. Its errors are ErrDisplaced, ErrRemoved, and the context's.
func (c *Consumer) Next(ctx context.Context) (Delivery, error) {
	for {
		d, found, err := c.take()
		if found || err != nil {
			return d, err
		}
		select {
		case <-c.changed:
		case <-c.ended:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

func (c *Consumer) take() (Delivery, bool, error) {
	c.queues.mu.Lock()
	defer c.queues.mu.Unlock()
	if c.err != nil || c.deaf {
		return Delivery{}, false, c.err
	}
	waiting := c.queues.of(c.device).waiting
	first := slices.IndexFunc(waiting, c.isNew)
	if !c.reported && (first < 0 || waiting[first].sequence > c.backlog) {
		c.reported = true
		return Delivery{QueueEmpty: true}, true, nil
	}
	if first < 0 {
		return Delivery{}, false, nil
	}
	at := len(waiting) - 1
	for !c.isNew(waiting[at]) {
		at--
	}
	if at == first || !c.faults.Befalls(faults.Reorder, c.names...) {
		at = first
	}
	waiting[at].taken = c
	return Delivery{Envelope: waiting[at].envelope, sequence: waiting[at].sequence}, true, nil
}

func (c *Consumer) isNew(q queued) bool { return q.taken != c }

// acknowledge takes a message out of the queue, and reports whether it was there. A fault may keep it, once.
func (c *Consumer) acknowledge(d Delivery) bool {
	c.queues.mu.Lock()
	defer c.queues.mu.Unlock()
	target := c.queues.queues[c.device]
	if target == nil {
		return false
	}
	at := slices.IndexFunc(target.waiting, func(q queued) bool { return q.sequence == d.sequence })
	if at < 0 {
		return false
	}
	if message := &target.waiting[at]; !message.repeated && !message.envelope.GetEphemeral() {
		switch {
		case c.faults.Befalls(faults.Redelivery, c.names...):
			message.repeated = true
			return false
		case c.faults.Befalls(faults.Duplicate, c.names...):
			message.repeated, message.taken = true, nil
			c.wake()
			return false
		}
	}
	target.waiting = slices.Delete(target.waiting, at, at+1)
	c.queues.changed()
	return true
}

// Close gives the queue free. Messages that are ephemeral are gone with their consumer.
func (c *Consumer) Close() {
	c.queues.mu.Lock()
	defer c.queues.mu.Unlock()
	if target := c.queues.queues[c.device]; target != nil {
		target.deaf = slices.DeleteFunc(target.deaf, func(other *Consumer) bool { return other == c })
		if target.consumer == c {
			target.consumer = nil
			target.waiting = slices.DeleteFunc(target.waiting, func(q queued) bool { return q.envelope.GetEphemeral() })
		}
	}
	c.end(ErrDisplaced)
}
