//go:build !nosandbox

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"signalbox/sandbox"
	"signalbox/sandbox/disk"
	"signalbox/sandbox/phone"
	"signalbox/signalcore"
	"signalbox/signalcore/model"
)

// sandboxOptions turn on a service inside this process. The build tag nosandbox leaves it out, with its options.
type sandboxOptions struct {
	On     bool   `long:"sandbox" env:"SIGNALBOX_SANDBOX" description:"practise: a Signal service inside this process, with an account and contacts that answer"`
	Listen string `long:"sandbox-listen" env:"SIGNALBOX_SANDBOX_LISTEN" value-name:"ADDR:PORT" description:"where the sandbox's service listens, for other programs to share it (default: any port of 127.0.0.1)"`
}

// check refuses what goes against a sandbox.
func (o sandboxOptions) check(command string, service bool) error {
	switch {
	case !o.On && o.Listen != "":
		return usagef("--sandbox-listen needs --sandbox")
	case !o.On:
		return nil
	case service:
		return usagef("--sandbox is a service of its own: leave out --service (SIGNALBOX_SERVICE)")
	case command == commandLink:
		return usagef("--sandbox links itself: start it without the command link")
	}
	return nil
}

// checkListen refuses to let others than this machine's users in.
func (o *options) checkSandboxListen() error {
	if o.Sandbox.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(o.Sandbox.Listen)
	if err != nil {
		return usagef("--sandbox-listen: %w", err)
	}
	ip := net.ParseIP(host)
	if host == "localhost" || ip != nil && ip.IsLoopback() || o.Listen.InsecureNoAuth {
		return nil
	}
	return usagef("--sandbox-listen %s would let anyone use the sandbox: name an address of loopback such as 127.0.0.1, "+
		"or add --insecure-no-auth", o.Sandbox.Listen)
}

// serveSandbox starts a sandbox, links this signalbox to its account and serves the command socket, if that was asked
// for.
func serveSandbox(ctx context.Context, opts *options, log zerolog.Logger) (ran bool, err error) {
	if !opts.Sandbox.On {
		return false, nil
	}
	if err := opts.checkSandboxListen(); err != nil {
		return true, err
	}
	if opts.dirNamed {
		return true, runSandbox(ctx, opts, filepath.Join(opts.DataDir, sandboxDir), log)
	}
	if opts.DataDir, err = os.MkdirTemp("", "signalbox-sandbox-"); err != nil {
		return true, err
	}
	err = runSandbox(ctx, opts, "", log)
	return true, errors.Join(err, os.RemoveAll(opts.DataDir))
}

// runSandbox runs a sandbox that is kept in a directory, unless that is empty.
func runSandbox(ctx context.Context, opts *options, dir string, log zerolog.Logger) error {
	service, err := sandbox.Start(sandbox.Options{Listen: opts.Sandbox.Listen, Dir: dir, Logger: log})
	if errors.Is(err, disk.ErrDamaged) || errors.Is(err, disk.ErrNewer) {
		return fmt.Errorf("%w; to begin anew, remove %s", err, opts.DataDir)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := service.Close(); err != nil {
			log.Error().Err(err).Msg("closing the sandbox")
		}
	}()
	client, err := openClientAt(opts, service.Environment(), log)
	if err != nil {
		return err
	}
	defer closeClient(client, log)
	// An account that is there before its sandbox is a real one, which must never be led to a sandbox.
	if _, err := client.Account(ctx); service.Fresh() && !errors.Is(err, model.ErrNotLinked) {
		return usagef("%s holds an account that is not a sandbox's: name another --data-dir", opts.DataDir)
	}
	account, err := service.Populate()
	if err != nil {
		return err
	}
	if err := service.Keep(); err != nil {
		return err
	}
	return serveClient(ctx, opts, client, log, func(ctx context.Context, addresses []net.Addr) error {
		if err := linkItself(ctx, client, account); err != nil {
			return err
		}
		if err := checkUsername(ctx, client, opts.Username); err != nil {
			return err
		}
		b := banner{service: service, opts: opts, addresses: addresses}
		_, err := fmt.Fprint(opts.shown, b.text())
		return err
	})
}

// linkItself does what a person does with the command link and a phone, unless that was done.
func linkItself(ctx context.Context, client *signalcore.Client, account *phone.Phone) error {
	if _, err := client.Account(ctx); !errors.Is(err, model.ErrNotLinked) {
		return err
	}
	uri, err := client.StartLink(ctx, model.LinkOptions{})
	if err != nil {
		return fmt.Errorf("linking to the sandbox: %w", err)
	}
	if err := account.Scan(uri); err != nil {
		return fmt.Errorf("linking to the sandbox: %w", err)
	}
	if _, err := client.FinishLink(ctx, uri); err != nil {
		return fmt.Errorf("linking to the sandbox: %w", err)
	}
	return nil
}
