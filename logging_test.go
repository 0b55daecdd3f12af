package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogsAreDiscreet(t *testing.T) {
	for _, format := range []string{"json", "console"} {
		var said bytes.Buffer
		log := newLogger(loggingOptions{Level: "debug", Format: format}, os.Stderr, &said)
		log.Info().Err(errors.New("the key of PNI:1c1bf3fc-2266-456c-b23d-047946fbef34 of +12025550100 is not trusted")).
			Str("from", "1c1bf3fc").Str("address", "[::1]:6789").Msg("1C1BF3FC-2266-456C-B23D-047946FBEF34,+436641234567")
		require.Contains(t, said.String(), "the key of PNI:1c1bf3fc of +...00 is not trusted")
		require.Contains(t, said.String(), "1C1BF3FC,+...67")
		require.Contains(t, said.String(), "[::1]:6789")
		require.NotContains(t, said.String(), "2266")
		require.NotContains(t, said.String(), "2025550")
		require.Equal(t, 1, strings.Count(said.String(), "\n"))
	}
}
