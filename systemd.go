package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/activation"
	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/rs/zerolog"

	"signalbox/signalcore/model"
)

// manager tells the service manager, where one asks (sd_notify(3)): ready, how the connection is, stopping, and signs of
// life for its watchdog. Each of those follows a turn of the receive loop. There is no timer that would go on when the
// loop hangs. A nil manager is nobody.
type manager struct {
	log      zerolog.Logger
	watchdog time.Duration // without a sign of life for so long the daemon is restarted; zero for never
	turned   chan struct{} // the receive loop has turned since
}

const (
	// notifyPause is how long to leave the service manager alone after telling it something.
	notifyPause = time.Second
	// notifyPatience is how long it may take to take a message. The daemon must not hang because its manager does.
	notifyPatience = 2 * time.Second
)

func newManager(log zerolog.Logger) *manager {
	watchdog, err := daemon.SdWatchdogEnabled(true)
	if err != nil {
		log.Warn().Err(err).Msg("no watchdog")
	}
	return &manager{log: log, watchdog: watchdog, turned: make(chan struct{}, 1)}
}

// turn is for the receive loop to call. It never waits.
func (m *manager) turn() {
	if m == nil {
		return
	}
	select {
	case m.turned <- struct{}{}:
	default:
	}
}

// pace is how often the receive loop should turn while it waits: with the pause after each message, several times in the
// watchdog's time. Zero is its own pace.
func (m *manager) pace() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog / 4
}

// serving tells that commands are taken, and from then on how the connection is, until ctx ends.
func (m *manager) serving(ctx context.Context, connection func() (model.ConnectionState, string)) {
	told := statusLine(connection())
	if !m.tell(daemon.SdNotifyReady + "\n" + told) {
		return
	}
	pause := notifyPause
	if m.watchdog > 0 {
		pause = min(pause, m.watchdog/8)
	}
	for m.awaitTurn(ctx) {
		message := ""
		if line := statusLine(connection()); line != told {
			message, told = line, line
		}
		if m.watchdog > 0 {
			message = daemon.SdNotifyWatchdog + "\n" + message
		}
		if message != "" {
			m.tell(message)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func (m *manager) awaitTurn(ctx context.Context) bool {
	select {
	case <-m.turned:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// stopping tells that no new command is taken.
func (m *manager) stopping() {
	m.tell(daemon.SdNotifyStopping + "\nSTATUS=stopping: running commands come to their end")
}

// tell reports whether there is somebody to tell.
func (m *manager) tell(message string) bool {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return false
	}
	if err := notify(socket, message); err != nil {
		m.log.Warn().Err(err).Msg("the service manager cannot be told")
	}
	return true
}

// notify does what daemon.SdNotify does, which would wait for ever where nobody reads.
func notify(socket, message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetWriteDeadline(time.Now().Add(notifyPatience)); err != nil {
		return err
	}
	_, err = conn.Write([]byte(message))
	return err
}

// maxStatus bounds a status text: the manager reads messages of up to 4 KiB.
const maxStatus = 400

// statusLine is what `systemctl status` shows.
func statusLine(state model.ConnectionState, reason string) string {
	text := string(state)
	switch state {
	case model.StateNotLinked:
		text = "not linked"
	case model.StateConnectedElsewhere:
		text = "disconnected"
	case model.StateConnecting:
		if reason != "" {
			text = "disconnected"
		}
	}
	if reason != "" {
		text += ": " + reason
	}
	short := []rune(oneLine(text)) // one line is one assignment
	return "STATUS=" + string(short[:min(len(short), maxStatus)])
}

// handedOver are the sockets that the service manager listens on for the daemon (sd_listen_fds(3)).
func handedOver() ([]net.Listener, error) {
	var out []net.Listener
	for _, file := range activation.Files(true) {
		listener, err := net.FileListener(file)
		_ = file.Close()
		if err != nil {
			return nil, fmt.Errorf("%s, handed over by the service manager, is no listening stream socket "+
				"(Accept=no, ListenStream=): %w", file.Name(), err)
		}
		out = append(out, listener)
	}
	return out, nil
}
