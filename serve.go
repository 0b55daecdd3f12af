package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"signalbox/commands"
	"signalbox/lenientjson"
	"signalbox/signalcore"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service/environment"
	"signalbox/signalcore/store"
	"signalbox/statuscodes"
	"signalbox/tcpserver"
)

// runServe shows on a terminal what takes long, below what is logged.
func runServe(ctx context.Context, line *commandLine, _ zerolog.Logger) error {
	line.opts.shown = newProgress(os.Stderr)
	defer line.opts.shown.end()
	return serve(ctx, &line.opts, newLogger(line.opts.Logging, os.Stderr, line.opts.shown))
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, opts *options, log zerolog.Logger) error {
	opts.manager = newManager(log)
	if ran, err := serveSandbox(ctx, opts, log); ran {
		return err
	}
	client, err := openClient(opts, log)
	if err != nil {
		return err
	}
	defer closeClient(client, log)
	if err := checkUsername(ctx, client, opts.Username); err != nil {
		return err
	}
	return serveClient(ctx, opts, client, log, func(ctx context.Context, _ []net.Addr) error {
		if _, err := client.Account(ctx); errors.Is(err, model.ErrNotLinked) {
			log.Warn().Msg("no account is linked here: run signalbox link with the daemon stopped, or send start_link")
		}
		return nil
	})
}

// preparation is what is done while the client runs and before the first command is answered, at these addresses.
type preparation func(ctx context.Context, addresses []net.Addr) error

// serveClient serves the command socket of a client until ctx ends.
func serveClient(
	ctx context.Context, opts *options, client *signalcore.Client, log zerolog.Logger, prepare preparation,
) error {
	server, err := newServer(opts, client, log)
	if err != nil {
		return err
	}
	if err := server.Listen(); err != nil {
		return err
	}
	for _, address := range server.Addrs() {
		log.Info().Str("address", address.String()).Msg("listening")
	}
	opts.shown.follow(newActivity(client, opts.shown).look)
	defer opts.shown.follow(nil)
	return runAll(ctx, client, server, opts.manager, prepare)
}

// runAll stops the server first, so that running commands still have their connection to the service.
func runAll(
	ctx context.Context, client *signalcore.Client, server *tcpserver.Server, manager *manager, prepare preparation,
) error {
	clientCtx, stopClient := context.WithCancel(context.WithoutCancel(ctx))
	defer stopClient()
	var running sync.WaitGroup
	running.Go(func() { client.Run(clientCtx) })
	err := prepare(ctx, server.Addrs())
	switch {
	case err != nil && ctx.Err() != nil: // it is to stop: that is no failure
		server.Close()
		err = nil
	case err != nil:
		server.Close()
	default:
		running.Go(func() { manager.serving(clientCtx, client.Connection) })
		running.Go(func() { <-ctx.Done(); manager.stopping() })
		err = server.Run(ctx)
	}
	stopClient()
	running.Wait()
	return err
}

func newServer(opts *options, client *signalcore.Client, log zerolog.Logger) (*tcpserver.Server, error) {
	token, err := readToken(opts.Listen.TokenFile)
	if err != nil {
		return nil, err
	}
	registry := commands.New(client, commands.Options{
		Token: token, CommandTimeout: opts.Limits.CommandTimeout, Version: build().commands(), Log: log,
	})
	config := tcpserver.DefaultConfig()
	config.Log, config.HasToken, config.InsecureNoAuth = log, token != "", opts.Listen.InsecureNoAuth
	config.MaxConnections, config.RequestTimeout = opts.Limits.MaxConnections, opts.Limits.RequestTimeout
	config.ShutdownTimeout, config.UnixSocket = opts.Limits.ShutdownTimeout, opts.Listen.UnixSocket
	config.Parser.MaxBytes = opts.Limits.MaxRequestBytes
	spool, err := lenientjson.NewDirSpool(filepath.Join(opts.DataDir, "requests"))
	if err != nil {
		return nil, err
	}
	config.Parser.Spool = spool
	if config.Inherited, err = handedOver(); err != nil {
		return nil, err
	}
	if opts.Listen.Port >= 0 && len(config.Inherited) == 0 {
		config.Address = net.JoinHostPort(opts.Listen.Address, strconv.Itoa(opts.Listen.Port))
	}
	config.TLS, err = tcpserver.LoadTLS(tcpserver.TLSFiles{
		Cert: opts.Listen.TLSCert, Key: opts.Listen.TLSKey, ClientCA: opts.Listen.TLSClientCA,
	})
	if err != nil {
		return nil, &usageError{err}
	}
	return tcpserver.New(config, registry), nil
}

// openClient opens the data directory for the service that --service names.
func openClient(opts *options, log zerolog.Logger) (*signalcore.Client, error) {
	if hasSandbox(opts.DataDir) {
		return nil, usagef("%s belongs to a sandbox: start with --sandbox, or name another --data-dir", opts.DataDir)
	}
	env, err := environment.Load(opts.Service)
	if err != nil {
		return nil, usagef("--service %s: %w", opts.Service, err)
	}
	return openClientAt(opts, env, log)
}

// sandboxDir is where in a data directory a sandbox keeps itself.
const sandboxDir = "sandbox"

// hasSandbox tells of the data directory of an account that is a sandbox's.
func hasSandbox(dataDir string) bool {
	_, err := os.Stat(filepath.Join(dataDir, sandboxDir))
	return err == nil
}

// openClientAt opens the data directory for a service.
func openClientAt(opts *options, env *environment.Environment, log zerolog.Logger) (*signalcore.Client, error) {
	key, err := readStoreKey(opts.Store.KeyFile)
	if err != nil {
		return nil, err
	}
	client, err := signalcore.Open(signalcore.Config{
		DataDir: opts.DataDir, Environment: env, Logger: log, Version: build().Version,
		InboxMaxBytes: opts.Limits.InboxMaxBytes, InboxMaxAge: opts.Limits.InboxMaxAge,
		StoreCache: opts.Store.Cache, StoreKey: key,
		Code:     func(err error) int { return int(statuscodes.Of(err)) },
		Progress: opts.manager.turn, ProgressEvery: opts.manager.pace(),
	})
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w%s", opts.DataDir, err, remedy(err))
	}
	return client, nil
}

// remedy says what to do about a data directory that cannot be opened, where that is known.
func remedy(err error) string {
	switch {
	case errors.Is(err, store.ErrInUse):
		return ": stop it, or name another --data-dir"
	case errors.Is(err, store.ErrWrongKey):
		return ": name the --store-key-file that it was first used with, or none if there was none"
	case errors.Is(err, store.ErrReadOnly):
		return ": the user who runs signalbox has to be able to write there, or name another --data-dir"
	}
	return ""
}

func closeClient(client *signalcore.Client, log zerolog.Logger) {
	if err := client.Close(); err != nil {
		log.Error().Err(err).Msg("closing the data directory")
	}
}

// checkUsername refuses to start for another account than the one that was asked for.
func checkUsername(ctx context.Context, client *signalcore.Client, username string) error {
	account, err := client.Account(ctx)
	if username == "" || errors.Is(err, model.ErrNotLinked) {
		return nil
	}
	if err != nil {
		return err
	}
	if username != account.Number && username != account.ACI.String() {
		return usagef("--username %s is not the account that is linked here", username)
	}
	return nil
}

func readToken(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return "", usagef("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(content))
	if token == "" {
		return "", usagef("--token-file holds no token")
	}
	return token, nil
}

func readStoreKey(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("--store-key-file: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(content)))
	if err != nil || len(key) != 32 {
		return nil, usagef("--store-key-file: it must hold 32 bytes in base64")
	}
	return key, nil
}
