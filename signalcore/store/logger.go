package store

import (
	"strings"

	"github.com/rs/zerolog"
)

// badgerLogger passes Badger's messages on, as traces where they are no warnings: its debug messages name keys,
// which hold phone numbers.
type badgerLogger struct{ log zerolog.Logger }

func (l badgerLogger) Errorf(format string, args ...any)   { l.send(l.log.Error(), format, args) }
func (l badgerLogger) Warningf(format string, args ...any) { l.send(l.log.Warn(), format, args) }
func (l badgerLogger) Infof(format string, args ...any)    { l.send(l.log.Trace(), format, args) }
func (l badgerLogger) Debugf(format string, args ...any)   { l.send(l.log.Trace(), format, args) }

func (l badgerLogger) send(event *zerolog.Event, format string, args []any) {
	event.Str("part", "badger").Msgf(strings.TrimRight(format, "\n"), args...)
}
