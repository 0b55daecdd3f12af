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
	var requests io.Reader = os.Stdin
	if len(line.arguments) == 1 && line.arguments[0] != "-" {
		requests = strings.NewReader(line.arguments[0])
	}
	connection, err := dialDaemon(ctx, &line.opts)
	if err != nil {
		return err
	}
	defer connection.Close() //nolint:errcheck // it has served
	code, err := connection.Relay(ctx, requests, os.Stdout, line.own.call.Timeout)
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
