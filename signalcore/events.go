package signalcore

import (
	"context"
	"errors"
	"sync"

	"signalbox/signalcore/inbox"
	"signalbox/signalcore/model"
	"signalbox/signalcore/store"
)

// maxPending bounds the events, other than messages, that wait for one subscriber; beyond it they are counted as missed.
const maxPending = 256

// eventHub hands events that are no messages to the subscribers. Messages come from the inbox itself, where each
// subscriber has a cursor.
type eventHub struct {
	mu          sync.Mutex
	subscribers map[*subscription]struct{}
}

func newEventHub() *eventHub { return &eventHub{subscribers: make(map[*subscription]struct{})} }

// publish never waits.
func (h *eventHub) publish(e model.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subscribers {
		s.offer(e)
	}
}

// subscription is one subscriber's place: a cursor in the inbox, and a short list of other events.
type subscription struct {
	client *Client
	cursor *inbox.Cursor
	ready  []model.Event // messages that the cursor gave out, for Next alone

	mu      sync.Mutex
	pending []model.Event
	missed  int
	closed  bool
	changed chan struct{}

	found   chan found // what the reader goroutine got from the cursor
	cancel  context.CancelFunc
	reading sync.WaitGroup
}

// found is what a look into the inbox gave.
type found struct {
	events []model.Event
	err    error
}

var errUnsubscribed = errors.New("the subscription is closed")

// Subscribe implements commands.Events.
func (c *Client) Subscribe(ctx context.Context, options model.SubscribeOptions) (model.Subscription, error) {
	reading, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &subscription{
		client: c, cursor: c.inbox.Subscribe(entryTypesOf(options.Types)), changed: make(chan struct{}, 1),
		found: make(chan found), cancel: cancel,
	}
	c.events.mu.Lock()
	c.events.subscribers[s] = struct{}{}
	c.events.mu.Unlock()
	s.reading.Go(func() { s.read(reading) })
	return s, nil
}

func (s *subscription) offer(e model.Event) {
	s.mu.Lock()
	if len(s.pending) < maxPending {
		s.pending = append(s.pending, e)
	} else {
		s.missed++
	}
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// read follows the cursor, one look ahead of the subscriber.
func (s *subscription) read(ctx context.Context) {
	for ctx.Err() == nil {
		events, err := s.look(ctx)
		select {
		case s.found <- found{events, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

func (s *subscription) look(ctx context.Context) ([]model.Event, error) {
	entries, missed, err := s.cursor.Next(ctx)
	if err != nil {
		return nil, storageError(err)
	}
	var events []model.Event
	if missed > 0 {
		count := int(missed)
		events = append(events, model.Event{Missed: &count})
	}
	err = s.client.store.View(func(tx *store.Tx) error {
		for _, entry := range entries {
			m, err := s.client.readers.message(tx, entry)
			if err != nil {
				return err
			}
			events = append(events, model.Event{Message: &m})
		}
		return nil
	})
	return events, storageError(err)
}

// Next implements model.Subscription.
func (s *subscription) Next(ctx context.Context) (model.Event, error) {
	for {
		if e, ok, err := s.take(); ok || err != nil {
			return e, err
		}
		select {
		case <-s.changed:
		case f := <-s.found:
			if f.err != nil {
				return model.Event{}, f.err
			}
			s.ready = f.events
		case <-ctx.Done():
			return model.Event{}, context.Cause(ctx)
		}
	}
}

// take gives what waits already.
func (s *subscription) take() (model.Event, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return model.Event{}, false, errUnsubscribed
	case len(s.pending) > 0:
		e := s.pending[0]
		s.pending = s.pending[1:]
		return e, true, nil
	case s.missed > 0:
		count := s.missed
		s.missed = 0
		return model.Event{Missed: &count}, true, nil
	case len(s.ready) > 0:
		e := s.ready[0]
		s.ready = s.ready[1:]
		return e, true, nil
	}
	return model.Event{}, false, nil
}

// Close implements model.Subscription.
func (s *subscription) Close() {
	hub := s.client.events
	hub.mu.Lock()
	delete(hub.subscribers, s)
	hub.mu.Unlock()
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	if already {
		return
	}
	s.cancel()
	s.reading.Wait()
	if err := s.cursor.Close(); err != nil {
		s.client.log.Warn().Err(err).Msg("what was kept for a subscriber could not be removed yet")
	}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
