package main

import (
	"os"
	"path/filepath"
	"time"
)

// options are the settings of every command. Each may also come from its SIGNALBOX_ variable or from the INI file that
// --config names; the command line wins over the variable, and the variable over the file.
type options struct {
	Config   string `long:"config" env:"SIGNALBOX_CONFIG" value-name:"FILE" description:"read settings from an INI file"`
	Username string `short:"u" long:"username" env:"SIGNALBOX_USERNAME" value-name:"NUMBER" description:"the account's number; refuse to start for another one"`
	DataDir  string `long:"data-dir" env:"SIGNALBOX_DATA_DIR" value-name:"DIR" description:"where the account and the inbox are kept (default: $XDG_DATA_HOME/signalbox)"`
	Service  string `long:"service" env:"SIGNALBOX_SERVICE" value-name:"live|staging|FILE" default:"live" description:"which Signal service; a JSON file describes one of your own"`

	Listen  listenOptions  `group:"Listening"`
	Limits  limitOptions   `group:"Limits"`
	Store   storeOptions   `group:"Storage"`
	Logging loggingOptions `group:"Logging"`
	Sandbox sandboxOptions `group:"Sandbox"`
	Calling callingOptions `group:"Calling"`
	Version func()         `long:"version" description:"print the version and exit"`

	dirNamed bool // DataDir is not the default
	manager  *manager
	shown    *progress // what goes to stderr passes through it
}

// The titles of the groups, as in the tags above; the first is what stands in no other.
const (
	groupOptions   = "Options"
	groupListening = "Listening"
	groupLimits    = "Limits"
	groupStorage   = "Storage"
	groupLogging   = "Logging"
	groupSandbox   = "Sandbox"
	groupCalling   = "Calling"
)

type listenOptions struct {
	Address        string `short:"a" long:"address" env:"SIGNALBOX_ADDRESS" value-name:"ADDR" default:"127.0.0.1" description:"TCP address to listen on"`
	Port           int    `short:"p" long:"port" env:"SIGNALBOX_PORT" value-name:"PORT" default:"6789" description:"TCP port to listen on; 0 picks a free one, -1 turns TCP off"`
	UnixSocket     string `long:"unix-socket" env:"SIGNALBOX_UNIX_SOCKET" value-name:"PATH" description:"listen on a unix socket too"`
	TokenFile      string `long:"token-file" env:"SIGNALBOX_TOKEN_FILE" value-name:"FILE" description:"clients must present the token in this file"`
	TLSCert        string `long:"tls-cert" env:"SIGNALBOX_TLS_CERT" value-name:"FILE" description:"serve TLS with this certificate (PEM)"`
	TLSKey         string `long:"tls-key" env:"SIGNALBOX_TLS_KEY" value-name:"FILE" description:"the certificate's key (PEM)"`
	TLSClientCA    string `long:"tls-client-ca" env:"SIGNALBOX_TLS_CLIENT_CA" value-name:"FILE" description:"ask clients for a certificate from this CA (PEM)"`
	InsecureNoAuth bool   `long:"insecure-no-auth" env:"SIGNALBOX_INSECURE_NO_AUTH" description:"listen beyond loopback without a token or client certificates"`
}

type limitOptions struct {
	MaxConnections  int           `long:"max-connections" env:"SIGNALBOX_MAX_CONNECTIONS" value-name:"N" default:"256" description:"connections at once"`
	MaxRequestBytes int64         `long:"max-request-bytes" env:"SIGNALBOX_MAX_REQUEST_BYTES" value-name:"BYTES" default:"167772160" description:"size of one request"`
	RequestTimeout  time.Duration `long:"request-timeout" env:"SIGNALBOX_REQUEST_TIMEOUT" value-name:"TIME" default:"5m" description:"time to finish a request once begun"`
	CommandTimeout  time.Duration `long:"command-timeout" env:"SIGNALBOX_COMMAND_TIMEOUT" value-name:"TIME" default:"2m" description:"time to answer a command"`
	ShutdownTimeout time.Duration `long:"shutdown-timeout" env:"SIGNALBOX_SHUTDOWN_TIMEOUT" value-name:"TIME" default:"10s" description:"time to finish after SIGTERM"`
	InboxMaxBytes   int64         `long:"inbox-max-bytes" env:"SIGNALBOX_INBOX_MAX_BYTES" value-name:"BYTES" default:"2147483648" description:"pause receiving when the inbox holds this much (0: never)"`
	InboxMaxAge     time.Duration `long:"inbox-max-age" env:"SIGNALBOX_INBOX_MAX_AGE" value-name:"TIME" default:"0" description:"drop messages that nobody took for this long (0: never)"`
}

type storeOptions struct {
	Cache   int64  `long:"store-cache" env:"SIGNALBOX_STORE_CACHE" value-name:"BYTES" default:"0" description:"memory for the store's block cache (0: the small default)"`
	KeyFile string `long:"store-key-file" env:"SIGNALBOX_STORE_KEY_FILE" value-name:"FILE" description:"encrypt the store with the 32-byte key (base64) in this file"`
}

type loggingOptions struct {
	Level  string `long:"log-level" env:"SIGNALBOX_LOG_LEVEL" value-name:"LEVEL" default:"info" choice:"trace" choice:"debug" choice:"info" choice:"warn" choice:"error" description:"how much to log on stderr"`
	Format string `long:"log-format" env:"SIGNALBOX_LOG_FORMAT" value-name:"FORMAT" default:"auto" choice:"auto" choice:"json" choice:"console" description:"console is for people, json for machines; auto asks whether stderr is a terminal"`
}

// check finds what would make a daemon that nobody can reach.
func (o *options) check() error {
	switch {
	case o.Listen.Port < -1 || o.Listen.Port > 65535:
		return usagef("--port must be between -1 and 65535")
	case o.Listen.Port == -1 && o.Listen.UnixSocket == "":
		return usagef("--port -1 turns TCP off: name a --unix-socket to listen on")
	case o.Limits.MaxConnections < 1:
		return usagef("--max-connections must be at least 1")
	}
	return o.Limits.check(o.Store.Cache)
}

// check finds limits under which nothing could be done.
func (l *limitOptions) check(cache int64) error {
	for _, limit := range []struct {
		name  string
		value int64
		least int64
	}{
		{"max-request-bytes", l.MaxRequestBytes, 1},
		{"request-timeout", int64(l.RequestTimeout), 1},
		{"command-timeout", int64(l.CommandTimeout), 1},
		{"shutdown-timeout", int64(l.ShutdownTimeout), 0},
		{"inbox-max-bytes", l.InboxMaxBytes, 0},
		{"inbox-max-age", int64(l.InboxMaxAge), 0},
		{"store-cache", cache, 0},
	} {
		switch {
		case limit.value < 0:
			return usagef("--%s must not be negative", limit.name)
		case limit.value < limit.least:
			return usagef("--%s must be more than 0", limit.name)
		}
	}
	return nil
}

func defaultDataDir() (string, error) {
	if base := os.Getenv("XDG_DATA_HOME"); base != "" {
		return filepath.Join(base, "signalbox"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usagef("no home directory; name one with --data-dir")
	}
	return filepath.Join(home, ".local", "share", "signalbox"), nil
}
