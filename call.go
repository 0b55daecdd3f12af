package main

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"github.com/rs/zerolog"
)

// callOptions are those of the call command alone.
type callOptions struct {
	Timeout time.Duration `long:"timeout" value-name:"TIME" description:"give up when a reply takes longer (default: the daemon's own limits)"`
}

// runCall sends one request, or all that come on stdin, and prints the replies.
func runCall(ctx context.Context, line *commandLine, _ zerolog.Logger) error {
	if line.own.call.Timeout < 0 {
		return usagef("--timeout must not be negative")
	}
	shown := newProgress(os.Stderr)
	defer shown.end()
	var requests io.Reader = os.Stdin
	if len(line.arguments) == 1 && line.arguments[0] != "-" {
		requests = strings.NewReader(line.arguments[0])
	}
	requests = untilSent{requests, func() { shown.follow(waiting("Waiting for the reply")) }}
	connection, err := dialDaemon(ctx, &line.opts)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // it has served
	code, err := connection.Relay(ctx, requests, reply{os.Stdout, shown}, line.own.call.Timeout)
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted before the reply came")
	case err != nil:
		return err
	case code != 0:
		return errRefused
	}
	return nil
}

// untilSent reports the end of the requests: what is waited for before is whoever makes them.
type untilSent struct {
	io.Reader
	sent func()
}

func (u untilSent) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		u.sent()
	}
	return n, err
}

// waiting tells what is waited for, and how long already, where that is more than an instant.
func waiting(what string) func() string {
	began := time.Now()
	return func() string {
		waited := time.Since(began)
		if waited < noticeable {
			return ""
		}
		return what + " ... " + span(waited)
	}
}

// reply is where replies go; with the next, what is shown of waiting ends.
type reply struct {
	io.Writer
	shown *progress
}

func (r reply) Write(text []byte) (int, error) {
	r.shown.follow(nil)
	return r.Writer.Write(text)
}
