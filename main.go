// Command signalbox puts one Signal account behind a TCP command socket.
//
// This file holds the wiring: options, signals, exit codes. What the commands do is in package commands, the account in
// signalcore.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"

	"signalbox/signalcore/service"
	"signalbox/tcpserver"
)

// Exit codes (docs/architecture.md, "The command line"). 2 is left to Go: a panic ends with it, and a watchdog's SIGABRT.
// After those another start helps; after wrong usage (EX_USAGE of sysexits.h) it does not.
const (
	exitOK       = 0
	exitError    = 1
	exitUnlinked = 3
	exitUsage    = 64
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program; it returns the exit code.
func run(arguments []string) int {
	line, err := parse(arguments)
	if err != nil {
		return explainUsage(err)
	}
	log := newLogger(line.opts.Logging, os.Stderr, os.Stderr)
	ctx, stop := signal.NotifyContext(context.Background(), endings()...)
	defer stop()
	return exitCode(line.command.run(ctx, line, log), line.command.daemon, log)
}

// endings are the signals that end the program in order. A terminal that is closed is one of them, unless the program was
// started to outlive it (nohup).
func endings() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// explainUsage prints what is wrong with the command line, or the help that was asked for.
func explainUsage(err error) int {
	var asked *helpRequest
	if errors.As(err, &asked) {
		fmt.Print(asked.text)
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "signalbox:", err)
	return exitUsage
}

// exitCode tells a person what is wrong with the usage, and the log of whatever else ended the daemon.
func exitCode(err error, daemon bool, log zerolog.Logger) int {
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage), errors.Is(err, tcpserver.ErrExposed):
		return explainUsage(err)
	case errors.Is(err, errRefused): // the reply has been printed
	case daemon:
		log.Error().Err(err).Msg("stopped")
	default:
		fmt.Fprintln(os.Stderr, "signalbox:", err)
	}
	if errors.Is(err, service.ErrUnlinked) {
		return exitUnlinked
	}
	return exitError
}
