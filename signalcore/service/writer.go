package service

import (
	"net/http"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// write is the writer goroutine: it gathers what waits into one write. It returns nil once the connection is closing
// and everything was written.
func (c *Conn) write() error {
	var buffer []byte
	for {
		items := make([]*outgoing, 0, 8)
		buffer = buffer[:0]
		select {
		case item := <-c.out:
			buffer, items = append(buffer, item.frames...), append(items, item)
		case frame := <-c.control:
			buffer = append(buffer, frame...)
		case <-c.closing:
			return c.sayGoodbye()
		case <-c.done:
			return nil
		}
		buffer, items = c.gather(buffer, items)
		_, err := c.stream.Write(buffer)
		for _, item := range items {
			item.written <- err
		}
		if err != nil {
			return err
		}
		if cap(buffer) > 4*maxWrite {
			buffer = nil
		}
	}
}

// gather adds what waits already.
func (c *Conn) gather(buffer []byte, items []*outgoing) ([]byte, []*outgoing) {
	for len(buffer) < maxWrite {
		select {
		case item := <-c.out:
			buffer, items = append(buffer, item.frames...), append(items, item)
		case frame := <-c.control:
			buffer = append(buffer, frame...)
		default:
			return buffer, items
		}
	}
	return buffer, items
}

func (c *Conn) sayGoodbye() error {
	frame := appendFrame(nil, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
	if _, err := c.stream.Write(frame); err != nil {
		return err
	}
	return c.stream.CloseWrite()
}

// appendResponse encodes an answer of ours.
func appendResponse(buffer []byte, id uint64, status int) []byte {
	out, err := appendMessage(buffer, &servicepb.WebSocketMessage{
		Type: servicepb.WebSocketMessage_RESPONSE.Enum(),
		Response: &servicepb.WebSocketResponseMessage{
			Id: &id, Status: proto.Uint32(uint32(status)), Message: proto.String(http.StatusText(status)),
		},
	})
	if err != nil { // a message of a few bytes always encodes
		return buffer
	}
	return out
}
