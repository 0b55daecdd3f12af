package wire

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// parseMessage reads what a client sends on a websocket: a request or an answer, with all that one of these has to have
// (Signal-Server messages/protobuf/ProtobufWebSocketMessage).
func parseMessage(data []byte) (*servicepb.WebSocketMessage, bool) {
	m := &servicepb.WebSocketMessage{}
	if proto.Unmarshal(data, m) != nil {
		return nil, false
	}
	switch request, response := m.GetRequest(), m.GetResponse(); {
	case m.GetType() == servicepb.WebSocketMessage_REQUEST && request != nil:
		m.Response = nil
		return m, request.Verb != nil && request.Path != nil
	case m.GetType() == servicepb.WebSocketMessage_RESPONSE && response != nil:
		m.Request = nil
		return m, response.Id != nil && response.Status != nil && response.Message != nil
	}
	return nil, false
}

// call answers a request of the client (WebSocketResourceProvider.handleRequest). One without a number gets no answer.
func (s *Socket) call(
	ctx context.Context, in *servicepb.WebSocketRequestMessage, route func(context.Context, *Request) *Response,
) {
	target, err := url.Parse(in.GetPath())
	if err != nil {
		s.Close(CloseUnexpected, "Server error")
		return
	}
	response := route(ctx, &Request{
		Method: in.GetVerb(), Path: target.EscapedPath(), Query: target.Query(),
		Header: combinedHeaders(s.Header, parseHeaders(in.GetHeaders())), Body: in.GetBody(), By: s.By, Socket: s,
	})
	if response == nil {
		s.Cut()
		return
	}
	if in.Id == nil {
		return
	}
	out := &servicepb.WebSocketResponseMessage{
		Id: in.Id, Status: proto.Uint32(uint32(response.Status)), Message: proto.String(http.StatusText(response.Status)),
		Body: response.Body, Headers: []string{
			TimestampHeader(time.Now()), "Content-Length:" + strconv.Itoa(len(response.Body)),
		},
	}
	for name, values := range response.Header {
		for _, value := range values {
			out.Headers = append(out.Headers, name+":"+value)
		}
	}
	answer := &servicepb.WebSocketMessage{Type: servicepb.WebSocketMessage_RESPONSE.Enum(), Response: out}
	_ = s.send(answer, response.broken)
}

// parseHeaders is ProtobufWebSocketRequestMessage.getHeaders: lines with another number of colons than one are passed
// over.
func parseHeaders(lines []string) http.Header {
	header := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(strings.TrimRight(line, ":"), ":")
		if value != "" && !strings.Contains(value, ":") {
			header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return header
}

// combinedHeaders are those of a request on a websocket, with those that opened it for the others
// (WebSocketResourceProvider.getCombinedHeaders).
func combinedHeaders(opening, request http.Header) http.Header {
	out := request.Clone()
	out.Del("X-Forwarded-For")
	for name, values := range opening {
		lower := strings.ToLower(name)
		own := lower == "connection" || lower == "upgrade" || strings.Contains(lower, "websocket-") ||
			strings.HasPrefix(lower, ":")
		if len(out[name]) == 0 && !own || lower == "user-agent" {
			out[name] = slices.Clone(values)
		}
	}
	return out
}

// TimestampHeader is the header that Signal-Server sends with its own requests (HeaderUtils.getTimestampHeader).
func TimestampHeader(now time.Time) string {
	return "X-Signal-Timestamp:" + timestamp(now)
}

func timestamp(now time.Time) string { return strconv.FormatInt(now.UnixMilli(), 10) }
