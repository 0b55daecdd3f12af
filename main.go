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

	"github.com/jessevdk/go-flags"
	"github.com/rs/zerolog"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/environment"
)

// Exit codes (docs/architecture.md, "The command line").
const (
	exitOK = iota
	exitError
	exitUsage
	exitUnlinked
)

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program; it returns the exit code.
func run(arguments []string) int {
	var opts options
	var link linkOptions
	opts.Version = func() {
		fmt.Println(build())
		os.Exit(exitOK)
	}
	command, err := parse(arguments, &opts, &link)
	if err != nil {
		return explainUsage(err)
	}
	log := newLogger(opts.Logging)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch command {
	case commandLink:
		err = linkAccount(ctx, &opts, link, log)
	default:
		err = serve(ctx, &opts, log)
	}
	return exitCode(err, log)
}

// explainUsage prints what is wrong with the command line, or the help that was asked for.
func explainUsage(err error) int {
	var flagsError *flags.Error
	if errors.As(err, &flagsError) && flagsError.Type == flags.ErrHelp {
		fmt.Println(err)
		return exitOK
	}
	fmt.Fprintln(os.Stderr, "signalbox:", err)
	return exitUsage
}

func exitCode(err error, log zerolog.Logger) int {
	var field *environment.FieldError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errUsage), errors.As(err, &field):
		fmt.Fprintln(os.Stderr, "signalbox:", err)
		return exitUsage
	case errors.Is(err, service.ErrUnlinked):
		log.Error().Err(err).Msg("stopped")
		return exitUnlinked
	}
	log.Error().Err(err).Msg("stopped")
	return exitError
}
