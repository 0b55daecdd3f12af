package tcpserver

import (
	"context"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands/signaltest"
	"signalbox/signalcore/model"
)

// TestHundredMiB sends and fetches an attachment of 100 MiB, and looks at the memory that it took.
func TestHundredMiB(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a few seconds")
	}
	const size = 100 << 20
	const long = 20 * patience // with the race detector, on a loaded machine, that many bytes take their time
	d := start(t, func(s *setup) { s.config.RequestTimeout = long })
	d.signal.OnSend = func(_ context.Context, request model.SendRequest) (model.SendResult, error) {
		data, err := request.Uploads[0].Open()
		require.NoError(t, err)
		defer data.Close()
		n, err := io.Copy(io.Discard, data)
		require.EqualValues(t, size, n)
		return model.SendResult{Timestamp: 1}, err
	}
	d.signal.Attachments = map[string]model.StoredAttachment{"a": {ID: "a", Ready: true, Data: signaltest.Zeros(size)}}
	before := memory()
	c := d.dial()
	c.send(`{command:'send_message',recipient:'self',dataMessage:{attachments:[{base64Data:"`)
	chunk := strings.Repeat("A", 64<<10)
	const text = (size + 2) / 3 * 4
	for left := text - 2; left > 0; left -= len(chunk) {
		c.send(chunk[:min(left, len(chunk))])
	}
	require.Equal(t, 0, code(t, c.ask(`=="}]}}`)))
	c.send(`{command:'get_attachment',id:'a'}`)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(long)))
	n, err := io.CopyN(io.Discard, c.in, text)
	require.NoError(t, err)
	require.EqualValues(t, text, n)
	c.line()
	grown := memory() - before
	t.Logf("grew by %d KiB", grown>>10)
	require.Less(t, grown, int64(12<<20))
}

// memory is what the process has taken from the system, and not given back.
func memory() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys - m.HeapReleased)
}
