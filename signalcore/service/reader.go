package service

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// read is the reader goroutine. It always returns an error.
func (c *Conn) read() error {
	frames := newFrameReader(c.stream)
	for {
		op, payload, err := frames.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		c.frames.Add(1)
		c.lastSeen.Store(time.Now().UnixMilli())
		if err := c.handleFrame(op, payload); err != nil {
			return err
		}
	}
}

func (c *Conn) handleFrame(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpClose:
		code, _ := ws.ParseCloseFrameData(payload)
		return &closeError{code}
	case ws.OpPing:
		return c.reply(appendFrame(nil, ws.OpPong, payload))
	case ws.OpBinary:
		return c.handleMessage(payload)
	default:
		return nil
	}
}

// reply queues a frame that the reader owes. A service that makes us owe more than we can write is cut off, for the
// reader must not wait for the writer.
func (c *Conn) reply(frame []byte) error {
	select {
	case c.control <- frame:
		return nil
	default:
		return fmt.Errorf("%w: too much to answer", ErrProtocol)
	}
}

func (c *Conn) handleMessage(payload []byte) error {
	var message servicepb.WebSocketMessage
	if err := proto.Unmarshal(payload, &message); err != nil {
		return fmt.Errorf("%w: websocket message cannot be read: %v", ErrProtocol, err)
	}
	switch message.GetType() {
	case servicepb.WebSocketMessage_REQUEST:
		return c.handleRequest(message.GetRequest())
	case servicepb.WebSocketMessage_RESPONSE:
		c.handleResponse(message.GetResponse())
		return nil
	default:
		return fmt.Errorf("%w: a websocket message that is neither request nor response", ErrProtocol)
	}
}

func (c *Conn) handleRequest(request *servicepb.WebSocketRequestMessage) error {
	id, path := request.GetId(), request.GetPath()
	if c.socket.accepts == nil || !c.socket.accepts(request.GetVerb(), path) {
		c.log.Debug().Str("method", request.GetVerb()).Msg("the service asked for something unknown")
		return c.reply(appendResponse(nil, id, http.StatusNotFound))
	}
	item := incoming{id: id, path: path, header: parseHeaders(request.GetHeaders()), body: request.GetBody()}
	if path == pathQueueEmpty {
		item = incoming{queueEmpty: true}
		if err := c.reply(appendResponse(nil, id, http.StatusOK)); err != nil {
			return err
		}
	}
	if !c.arrivals.push(item, c.done) {
		return ErrClosed
	}
	return nil
}

// handleResponse gives an answer to whoever still waits for it.
func (c *Conn) handleResponse(response *servicepb.WebSocketResponseMessage) {
	c.mu.Lock()
	answer, expected := c.pending[response.GetId()]
	delete(c.pending, response.GetId())
	c.mu.Unlock()
	if !expected {
		return
	}
	answer <- &Response{
		Status: int(response.GetStatus()), Header: parseHeaders(response.GetHeaders()), Body: response.GetBody(),
	}
}
