package service

import (
	"context"
	"time"

	"signalbox/signalcore/signalpb/servicepb"
)

// Do sends a request over the websocket and waits for its answer.
func (c *Conn) Do(ctx context.Context, request *Request) (*Response, error) {
	return c.do(ctx, request, c.link.network.options.RequestTimeout)
}

func (c *Conn) do(ctx context.Context, request *Request, timeout time.Duration) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err()}
	case <-c.done:
		return nil, c.ended(false)
	}
	id, answer := c.expect()
	defer c.forgetAnswer(id)
	frames, err := requestFrame(id, request)
	if err != nil {
		return nil, err
	}
	if _, err := c.submit(ctx, frames); err != nil {
		return nil, err
	}
	select {
	case response := <-answer:
		return response, nil
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err(), MayHaveLeft: true}
	case <-c.done:
	}
	select { // the answer may have been the last thing that came
	case response := <-answer:
		return response, nil
	default:
		return nil, c.ended(true)
	}
}

// submit hands frames to the writer. When it returns an error they were certainly not written.
func (c *Conn) submit(ctx context.Context, frames []byte) (<-chan error, error) {
	item := &outgoing{frames: frames, written: make(chan error, 1)}
	select {
	case c.out <- item:
		return item.written, nil
	case <-ctx.Done():
		return nil, &NetworkError{Err: ctx.Err()}
	case <-c.closing:
		return nil, &NetworkError{Err: ErrClosed}
	case <-c.done:
		return nil, c.ended(false)
	}
}

func (c *Conn) expect() (uint64, <-chan *Response) {
	answer := make(chan *Response, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastID++
	c.pending[c.lastID] = answer
	return c.lastID, answer
}

func (c *Conn) forgetAnswer(id uint64) {
	c.mu.Lock()
	delete(c.pending, id)
	c.mu.Unlock()
}

// requestFrame encodes a request of ours.
func requestFrame(id uint64, request *Request) ([]byte, error) {
	return appendMessage(nil, &servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_REQUEST.Enum(),
		Request: &servicepb.WebSocketRequestMessage{
			Id: &id, Verb: &request.Method, Path: &request.Path, Headers: headerLines(request.Header), Body: request.Body,
		},
	})
}
