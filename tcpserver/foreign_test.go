package tcpserver

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSniff(t *testing.T) {
	for first, want := range map[string]protocol{
		"":                                 undecided,
		"{":                                jsonStream,
		"[":                                jsonStream,
		" {":                               jsonStream,
		"\n":                               jsonStream,
		"\xef\xbb\xbf{":                    jsonStream,
		"hello world":                      jsonStream,
		"7":                                jsonStream,
		"G":                                undecided,
		"GET":                              undecided,
		"GET ":                             httpRequest,
		"OPTIONS * HTTP/1.1":               httpRequest,
		"GE T":                             jsonStream,
		"GET\n":                            jsonStream,
		"GET{":                             jsonStream,
		strings.Repeat("A", 31):            undecided,
		strings.Repeat("A", 40) + " /":     jsonStream,
		"\x16":                             undecided,
		"\x16\x03\x01":                     otherProtocol,
		"\x16{":                            jsonStream,
		"\x00\x01\x00\x08\x21\x12":         undecided,
		"\x00\x01\x00\x08\x21\x12\xa4\x42": otherProtocol,
		"\x00\x01\x00\x08\x21\x13":         jsonStream,
	} {
		require.Equal(t, want, sniff([]byte(first)), "%q", first)
	}
}

// FuzzSniff: a verdict never changes as more arrives.
func FuzzSniff(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\n"))
	f.Add([]byte("\x00\x01\x00\x08\x21\x12\xa4\x42"))
	f.Fuzz(func(t *testing.T, first []byte) {
		verdict := undecided
		for i := range len(first) + 1 {
			now := sniff(first[:i])
			if verdict != undecided {
				require.Equal(t, verdict, now)
			}
			verdict = now
		}
	})
}
