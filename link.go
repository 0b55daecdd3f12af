package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rs/zerolog"

	"signalbox/signalcore"
	"signalbox/signalcore/model"
)

// linkOptions are those of the link command alone.
type linkOptions struct {
	DeviceName string `long:"device-name" env:"SIGNALBOX_DEVICE_NAME" value-name:"NAME" default:"signalbox" description:"the name that the phone shows for this device"`
	Picture    string `long:"qr-png" value-name:"FILE" description:"write the QR code as a PNG picture, too; it is removed again in the end"`
}

// check finds what would fail or be cut short once the phone is at work.
func (o *linkOptions) check() error {
	if len([]rune(o.DeviceName)) > model.MaxDeviceName {
		return usagef("--device-name is longer than %d characters", model.MaxDeviceName)
	}
	return nil
}

// runLink shows on a terminal what is waited for; there, only warnings are logged unless someone wants more.
func runLink(ctx context.Context, line *commandLine, _ zerolog.Logger) (err error) {
	if err := line.own.link.check(); err != nil {
		return err
	}
	shown := newProgress(os.Stderr)
	defer func() {
		if err != nil {
			shown.settle(shown.palette.bad("failed"))
		}
		shown.end()
	}()
	logging := line.opts.Logging
	if shown.shown && !line.named("log-level") {
		logging.Level = zerolog.LevelWarnValue
	}
	l := &linking{opts: &line.opts, own: line.own.link, log: newLogger(logging, os.Stderr, shown), progress: shown}
	return l.run(ctx)
}

// linking is a run of the command link.
type linking struct {
	opts     *options
	own      linkOptions
	log      zerolog.Logger
	progress *progress
	picture  *picture
	client   *signalcore.Client
}

// run links this data directory to an account.
func (l *linking) run(ctx context.Context) (err error) {
	l.picture, err = reservePicture(l.own.Picture)
	if err != nil {
		return err
	}
	defer l.picture.remove(l.log)
	l.client, err = openClient(l.opts, l.log)
	if err != nil {
		return err
	}
	defer closeClient(l.client, l.log)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var loops sync.WaitGroup
	loops.Go(func() { l.client.Run(running) })
	defer func() {
		stop()
		loops.Wait()
	}()
	account, err := l.showAndWait(ctx)
	if err != nil {
		return err
	}
	l.progress.follow(l.lookAtSync)
	sync, err := l.client.Settle(ctx)
	l.progress.follow(nil)
	if err != nil {
		return fmt.Errorf("linked, but the first keys were not uploaded: start signalbox to finish: %w", err)
	}
	l.progress.settle(synced(sync))
	fmt.Fprintf(l.progress, "Linked as device %d.\n", account.DeviceID)
	return nil
}

func (l *linking) showAndWait(ctx context.Context) (model.Account, error) {
	l.progress.next("Asking the service for a code")
	uri, err := l.client.StartLink(ctx, model.LinkOptions{DeviceName: l.own.DeviceName, Progress: l.showStep})
	if errors.Is(err, model.ErrAlreadyLinked) {
		return model.Account{}, fmt.Errorf("%w; name another --data-dir to link another account", err)
	}
	if err != nil {
		return model.Account{}, err
	}
	if err := l.showCode(uri); err != nil {
		return model.Account{}, err
	}
	defer l.picture.remove(l.log)
	l.progress.next("Waiting for the phone to scan it")
	account, err := l.client.FinishLink(ctx, uri)
	if errors.Is(err, context.Canceled) {
		return account, errors.New("linking was interrupted")
	}
	return account, err
}

// showStep says what is waited for after a step.
func (l *linking) showStep(step model.LinkStep) {
	switch step {
	case model.LinkScanned:
		l.progress.next("Linking")
	case model.LinkAccepted:
		l.progress.next("Uploading keys")
	case model.LinkKeysUploaded:
		l.progress.next("First sync")
	}
}

func (l *linking) lookAtSync() string {
	sync, err := l.client.FirstSync()
	if err != nil {
		return ""
	}
	return syncing(sync)
}
