package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/commands"
	"signalbox/signalcore/model"
)

func TestNumbersForPeople(t *testing.T) {
	require.Equal(t, []string{"1 message", "0 messages", "2 messages"},
		[]string{count(1, "message"), count(0, "message"), count(2, "message")})
	for bytes, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 2 << 30: "2.0 GiB", 3 << 40: "3.0 TiB",
		2 << 50: "2048.0 TiB",
	} {
		require.Equal(t, want, size(bytes))
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s", 90 * time.Minute: "1 h 30 min",
		49 * time.Hour: "2 d 1 h",
	} {
		require.Equal(t, want, span(d))
	}
	require.Equal(t, "nothing yet", ago(nil))
	seconds := int64(3)
	require.Equal(t, "3 s ago", ago(&seconds))
}

func TestStatusForPeople(t *testing.T) {
	now := time.UnixMilli(1_000_000_000)
	age := int64(75)
	s := statusText{now: now, palette: palette{on: true}, version: commands.VersionReply{Version: "1.0"}}
	s.status = commands.StatusReply{
		Account:    &commands.StatusAccount{Number: "+12025550100", UUID: "u", DeviceID: 2},
		Connection: commands.StatusConnection{State: model.StatePaused, Since: now.Add(-time.Hour).UnixMilli(), Reason: "full"},
		Inbox:      commands.StatusInbox{Messages: 1, Bytes: 2048, MaxBytes: 4096}, Outbox: commands.StatusOutbox{Queued: 2},
		LastMessageAge: &age, Quarantined: 1, Dropped: 2, Uptime: 60,
		LastError: &commands.StatusError{Message: "ouch", Timestamp: now.Add(-time.Minute).UnixMilli()},
	}
	require.Equal(t, "\x1b[2maccount      \x1b[0m +12025550100, device 2 (u)\n"+
		"\x1b[2mconnection   \x1b[0m \x1b[35mpaused\x1b[0m for 1 h 0 min: full\n"+
		"\x1b[2mlast received\x1b[0m 1 min 15 s ago\n"+
		"\x1b[2minbox        \x1b[0m 1 item, receipts and typing included, 2.0 KiB of 4.0 KiB\n"+
		"\x1b[2moutbox       \x1b[0m 2 items waiting to be sent, receipts included\n"+
		"\x1b[2mtrouble      \x1b[0m 1 message in quarantine, 2 messages dropped\n"+
		"\x1b[2mlast error   \x1b[0m ouch (1 min 0 s ago)\n"+
		"\x1b[2mversion      \x1b[0m 1.0 (commit not recorded)\n"+
		"\x1b[2muptime       \x1b[0m 1 min 0 s\n", s.String())
	for state, colour := range map[model.ConnectionState]string{
		model.StateConnected: "\x1b[32m", model.StateConnecting: "\x1b[35m", model.StateNotLinked: "\x1b[31m",
		model.StateConnectedElsewhere: "\x1b[31m", model.StateStopped: "\x1b[31m",
	} {
		s.status.Connection.State = state
		require.Contains(t, s.connection(), colour)
	}
}

func TestWhereADaemonListens(t *testing.T) {
	for listens, reach := range map[string]string{
		"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "127.0.0.2": "127.0.0.2", "box.local": "box.local", "::1": "::1",
	} {
		require.Equal(t, reach, reachable(listens), listens)
	}
}
