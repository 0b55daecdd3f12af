package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"
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

// TestConsole: colours are for what is good or bad; the rest is the terminal's own.
func TestConsole(t *testing.T) {
	var said bytes.Buffer
	log := zerolog.New(console(&said, palette{on: true})).With().Timestamp().Logger()
	log.Info().Int("recipients", 2).Str("to", "1c1bf3fc").Msg("sent")
	require.Regexp(t, `^\x1b\[2m\d\d:\d\d:\d\d\x1b\[0m \x1b\[32minfo \x1b\[0m sent \x1b\[2mto=\x1b\[0m1c1bf3fc \x1b\[2mrecipients=\x1b\[0m2\n$`,
		said.String())
	said.Reset()
	log = zerolog.New(console(&said, palette{})).With().Timestamp().Logger()
	for level, want := range map[zerolog.Level]string{
		zerolog.DebugLevel: "debug", zerolog.WarnLevel: "warn ", zerolog.ErrorLevel: "error", zerolog.TraceLevel: "trace",
	} {
		said.Reset()
		log.WithLevel(level).Err(errors.New("ouch")).Msg("failed")
		require.Equal(t, want+" failed error=ouch\n", said.String()[len("15:04:05 "):])
	}
}

// TestColoursHideNothing: the shortening comes before the colours, which would stand in its way.
func TestColoursHideNothing(t *testing.T) {
	var said bytes.Buffer
	log := zerolog.New(discreet{console(&said, palette{on: true})})
	log.Info().Str("id", "1c1bf3fc-2266-456c-b23d-047946fbef34").Str("number", "+12025550100").Msg("x")
	require.Contains(t, said.String(), "1c1bf3fc")
	require.NotContains(t, said.String(), "2266")
	require.NotContains(t, said.String(), "2025550")
}
