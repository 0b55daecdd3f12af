package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"signalbox/cli/caller"
	"signalbox/commands"
	"signalbox/signalcore/model"
)

// statusOptions are those of the status command alone.
type statusOptions struct {
	JSON bool `long:"json" description:"print the daemon's reply as it is"`
}

// statusPatience bounds what a daemon may take to answer.
const statusPatience = 30 * time.Second

// runStatus asks a running daemon how it is doing.
func runStatus(ctx context.Context, line *commandLine, _ zerolog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, statusPatience)
	defer cancel()
	connection, err := dialDaemon(ctx, &line.opts)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // it has served
	var reply bytes.Buffer
	if line.own.status.JSON {
		code, err := connection.Ask(ctx, []byte(`{"command":"status"}`), os.Stdout)
		if err == nil && code != 0 {
			err = errRefused
		}
		return err
	}
	var status commands.StatusReply
	var version commands.VersionReply
	if err := askInto(ctx, connection, &reply, "status", &status); err != nil {
		return err
	}
	if err := askInto(ctx, connection, &reply, "version", &version); err != nil {
		return err
	}
	s := statusText{status, version, newPalette(os.Stdout), time.Now()}
	_, err = fmt.Print(s.String())
	return err
}

// askInto runs a command without fields, and decodes its reply.
func askInto(ctx context.Context, connection *caller.Connection, b *bytes.Buffer, command string, reply any) error {
	b.Reset()
	code, err := connection.Ask(ctx, []byte(`{"command":"`+command+`"}`), b)
	if err != nil {
		return err
	}
	if code != 0 {
		var refusal struct {
			ErrorMessage string `json:"errorMessage"`
		}
		_ = json.Unmarshal(b.Bytes(), &refusal) // without it, the message is empty
		return errors.New("the daemon answers: " + refusal.ErrorMessage)
	}
	return json.Unmarshal(b.Bytes(), reply)
}

// statusText is the status for people.
type statusText struct {
	status  commands.StatusReply
	version commands.VersionReply
	palette palette
	now     time.Time
}

func (s statusText) String() string {
	var text strings.Builder
	for _, row := range s.rows() {
		if row[1] != "" {
			fmt.Fprintf(&text, "%s %s\n", s.palette.faint(fmt.Sprintf("%-13s", row[0])), row[1])
		}
	}
	return text.String()
}

func (s statusText) rows() [][2]string {
	status := s.status
	return [][2]string{
		{"account", s.account()},
		{"connection", s.connection()},
		{"last received", ago(status.LastMessageAge)},
		{"inbox", s.inbox()},
		{"outbox", s.outbox()},
		{"throttled", s.until(status.ThrottledUntil)},
		{"trouble", s.trouble()},
		{"last error", s.lastError()},
		{"version", s.build()},
		{"uptime", span(time.Duration(status.Uptime) * time.Second)},
	}
}

func (s statusText) account() string {
	a := s.status.Account
	if a == nil {
		return "none is linked here: run signalbox link with the daemon stopped, or send start_link"
	}
	return fmt.Sprintf("%s, device %d (%s)", a.Number, a.DeviceID, a.UUID)
}

func (s statusText) connection() string {
	c := s.status.Connection
	text := map[model.ConnectionState]string{
		model.StateNotLinked: "not linked", model.StateConnectedElsewhere: "connected elsewhere",
	}[c.State]
	if text == "" {
		text = string(c.State)
	}
	switch c.State {
	case model.StateConnected:
		text = s.palette.good(text)
	case model.StateConnecting, model.StatePaused:
		text = s.palette.fair(text)
	default:
		text = s.palette.bad(text)
	}
	if c.Since != 0 {
		text += " for " + span(s.now.Sub(time.UnixMilli(c.Since)))
	}
	if c.Reason != "" && s.status.Account != nil {
		text += ": " + c.Reason
	}
	return text
}

// inbox has all that waits, as that is what fills it.
func (s statusText) inbox() string {
	in := s.status.Inbox
	text := "empty"
	if in.Messages > 0 {
		text = fmt.Sprintf("%s, receipts and typing included, %s", count(in.Messages, "item"), size(in.Bytes))
		if in.MaxBytes > 0 {
			text += " of " + size(in.MaxBytes)
		}
	}
	return text
}

func (s statusText) outbox() string {
	if s.status.Outbox.Queued == 0 {
		return "nothing waits"
	}
	return count(s.status.Outbox.Queued, "item") + " waiting to be sent, receipts included"
}

func (s statusText) until(millis int64) string {
	if millis == 0 {
		return ""
	}
	return "until " + time.UnixMilli(millis).Format(time.RFC3339)
}

// trouble is what should not be: messages that a later version may read, and entries that were dropped.
func (s statusText) trouble() string {
	var parts []string
	if s.status.Quarantined > 0 {
		parts = append(parts, count(s.status.Quarantined, "message")+" in quarantine")
	}
	if s.status.Dropped > 0 {
		parts = append(parts, count(s.status.Dropped, "message")+" dropped")
	}
	return strings.Join(parts, ", ")
}

func (s statusText) lastError() string {
	e := s.status.LastError
	if e == nil {
		return ""
	}
	if e.Timestamp == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (%s ago)", e.Message, span(s.now.Sub(time.UnixMilli(e.Timestamp))))
}

func (s statusText) build() string {
	b := buildInfo{Version: s.version.Version, Commit: s.version.Commit}
	if s.version.Built != 0 {
		b.Built = time.UnixMilli(s.version.Built)
	}
	return strings.TrimSpace(b.Version + " " + b.source())
}
