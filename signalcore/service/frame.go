package service

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// maxMessage bounds one websocket message in either direction. The service takes 256 KiB of ciphertext for one
	// device; the largest answers, those with prekeys, stay below this too.
	maxMessage = 4 << 20
	// keptBuffer is the largest read buffer that is kept for the next message.
	keptBuffer = 64 << 10
)

// closeError is a websocket that the other side closed, with its code.
type closeError struct {
	code ws.StatusCode
}

func (e *closeError) Error() string { return fmt.Sprintf("closed by the service with code %d", e.code) }

// frameReader reads websocket frames (RFC 6455, section 5) as a client gets them.
type frameReader struct {
	r      *bufio.Reader
	buffer []byte
	header [ws.MaxHeaderSize]byte
	// message collects the fragments of a message, between which control frames can come.
	message    []byte
	fragmented bool
}

func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: bufio.NewReaderSize(r, 16<<10)}
}

// next returns a whole binary message, or a control frame. The payload is valid until the following call.
func (f *frameReader) next() (ws.OpCode, []byte, error) {
	for {
		header, err := ws.ReadHeaderBuffer(f.r, f.header[:0])
		if err != nil {
			return 0, nil, err
		}
		if err := f.check(header); err != nil {
			return 0, nil, err
		}
		payload, err := f.payload(header)
		if err != nil {
			return 0, nil, err
		}
		if header.OpCode.IsControl() || (header.Fin && !f.fragmented) {
			return header.OpCode, payload, nil
		}
		f.message = append(f.message, payload...)
		f.fragmented = !header.Fin
		if header.Fin {
			payload, f.message = f.message, nil
			return ws.OpBinary, payload, nil
		}
	}
}

func (f *frameReader) check(h ws.Header) error {
	state := ws.StateClientSide
	if f.fragmented {
		state = state.Set(ws.StateFragmented)
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return fmt.Errorf("%w: %v", ErrProtocol, err)
	}
	if h.OpCode == ws.OpText {
		return fmt.Errorf("%w: text where bytes belong", ErrProtocol)
	}
	if h.Length > maxMessage || int64(len(f.message))+h.Length > maxMessage {
		return fmt.Errorf("%w: a message of more than %d bytes", ErrProtocol, maxMessage)
	}
	return nil
}

func (f *frameReader) payload(h ws.Header) ([]byte, error) {
	if int64(cap(f.buffer)) < h.Length || (cap(f.buffer) > keptBuffer && h.Length <= keptBuffer) {
		f.buffer = make([]byte, max(h.Length, 4<<10))
	}
	payload := f.buffer[:h.Length]
	if _, err := io.ReadFull(f.r, payload); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return payload, nil
}

// appendFrame appends a whole frame to buffer, masked as a client's must be.
func appendFrame(buffer []byte, op ws.OpCode, payload []byte) []byte {
	mask := ws.NewMask()
	buffer = appendFrameHeader(buffer, op, len(payload), mask)
	start := len(buffer)
	buffer = append(buffer, payload...)
	ws.Cipher(buffer[start:], mask, 0)
	return buffer
}

// appendMessage appends a message as a binary frame to buffer.
func appendMessage(buffer []byte, message *servicepb.WebSocketMessage) ([]byte, error) {
	size := proto.Size(message)
	if size > maxMessage {
		return buffer, fmt.Errorf("request of %d bytes: %w", size, ErrTooLarge)
	}
	mask := ws.NewMask()
	out := appendFrameHeader(buffer, ws.OpBinary, size, mask)
	start := len(out)
	out, err := proto.MarshalOptions{UseCachedSize: true}.MarshalAppend(out, message)
	if err != nil {
		return buffer, fmt.Errorf("encode websocket message: %w", err)
	}
	ws.Cipher(out[start:], mask, 0)
	return out, nil
}

// appendFrameHeader writes the header of a final, masked frame (RFC 6455, section 5.2).
func appendFrameHeader(buffer []byte, op ws.OpCode, size int, mask [4]byte) []byte {
	const final, masked = 0x80, 0x80
	buffer = append(buffer, final|byte(op))
	switch {
	case size < 126:
		buffer = append(buffer, masked|byte(size))
	case size <= 0xffff:
		buffer = binary.BigEndian.AppendUint16(append(buffer, masked|126), uint16(size))
	default:
		buffer = binary.BigEndian.AppendUint64(append(buffer, masked|127), uint64(size))
	}
	return append(buffer, mask[:]...)
}
