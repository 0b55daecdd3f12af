package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/mdp/qrterminal/v3"
	"github.com/rs/zerolog"
	"golang.org/x/term"

	"signalbox/signalcore"
	"signalbox/signalcore/model"
)

func runLink(ctx context.Context, line *commandLine, log zerolog.Logger) error {
	return linkAccount(ctx, &line.opts, line.own.link, log)
}

// linkAccount links this data directory to an account: the URI goes to stdout, the QR code to a terminal's stderr.
func linkAccount(ctx context.Context, opts *options, link linkOptions, log zerolog.Logger) error {
	client, err := openClient(opts, log)
	if err != nil {
		return err
	}
	defer closeClient(client, log)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { client.Run(running) })
	defer func() {
		stop()
		loops.Wait()
	}()
	account, err := showAndWait(ctx, client, link.DeviceName)
	if err != nil {
		return err
	}
	if err := client.Settle(ctx); err != nil {
		return fmt.Errorf("linked, but the first keys were not uploaded: start signalbox to finish: %w", err)
	}
	fmt.Fprintf(os.Stderr, "Linked as device %d.\n", account.DeviceID)
	return nil
}

func showAndWait(ctx context.Context, client *signalcore.Client, name string) (model.Account, error) {
	uri, err := client.StartLink(ctx, model.LinkOptions{DeviceName: name})
	if errors.Is(err, model.ErrAlreadyLinked) {
		return model.Account{}, fmt.Errorf("%w; name another --data-dir to link another account", err)
	}
	if err != nil {
		return model.Account{}, err
	}
	fmt.Println(uri)
	if term.IsTerminal(int(os.Stderr.Fd())) {
		qrterminal.GenerateHalfBlock(uri, qrterminal.L, os.Stderr)
		fmt.Fprintln(os.Stderr, "On the phone: Settings, Linked devices, Link a new device; then scan this code.")
	}
	account, err := client.FinishLink(ctx, uri)
	if errors.Is(err, context.Canceled) {
		return account, errors.New("linking was interrupted")
	}
	return account, err
}
