package service

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service/environment"
)

// Credentials are the user name and password of Basic authentication.
type Credentials struct {
	Username string
	Password string
}

// DeviceCredentials are those of one device of an account.
func DeviceCredentials(aci serviceid.ServiceID, deviceID uint32, password string) Credentials {
	return Credentials{Username: fmt.Sprintf("%s.%d", aci, deviceID), Password: password}
}

func (c Credentials) header() string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(c.Username+":"+c.Password))
}

// Options tune a Network. The zero value of each means the default.
type Options struct {
	UserAgent string // "signalbox"
	Logger    zerolog.Logger

	ConnectTimeout    time.Duration // 15 s: for a connection, with its handshakes
	RequestTimeout    time.Duration // 30 s: for one REST or gRPC request, its queueing included
	KeepaliveInterval time.Duration // 30 s
	KeepaliveTimeout  time.Duration // 20 s: without an answer for so long, a socket is dead
}

func (o Options) withDefaults() Options {
	if o.UserAgent == "" {
		o.UserAgent = "signalbox"
	}
	for _, timeout := range []struct {
		value *time.Duration
		unset time.Duration
	}{
		{&o.ConnectTimeout, 15 * time.Second},
		{&o.RequestTimeout, 30 * time.Second},
		{&o.KeepaliveInterval, 30 * time.Second},
		{&o.KeepaliveTimeout, 20 * time.Second},
	} {
		if *timeout.value == 0 {
			*timeout.value = timeout.unset
		}
	}
	return o
}

// Network reaches one Signal service. It is safe for concurrent use.
type Network struct {
	env     *environment.Environment
	options Options
	chat    *url.URL
	client  *http.Client
}

// NewNetwork prepares for a service; it connects to nothing.
func NewNetwork(env *environment.Environment, options Options) (*Network, error) {
	chat, err := url.Parse(env.ChatURL)
	if err != nil {
		return nil, fmt.Errorf("chat URL: %w", err)
	}
	n := &Network{env: env, options: options.withDefaults(), chat: chat}
	n.client = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:       n.tlsConfig(tls.VersionTLS12),
			ForceAttemptHTTP2:     true,
			DisableCompression:    true,
			MaxIdleConnsPerHost:   2,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   n.options.ConnectTimeout,
			ResponseHeaderTimeout: n.options.RequestTimeout,
			DialContext:           (&net.Dialer{Timeout: n.options.ConnectTimeout}).DialContext,
		},
		// The service redirects nowhere; who does is not the service.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return n, nil
}

// Environment returns the service that this network reaches.
func (n *Network) Environment() *environment.Environment { return n.env }

// HTTPClient is for the storage service and the CDNs: same roots, no redirects.
func (n *Network) HTTPClient() *http.Client { return n.client }

// UserAgent is what requests outside this package should carry.
func (n *Network) UserAgent() string { return n.options.UserAgent }

// Close ends idle HTTP connections. Links are closed by those who dialled them.
func (n *Network) Close() { n.client.CloseIdleConnections() }

func (n *Network) tlsConfig(minVersion uint16) *tls.Config {
	return &tls.Config{RootCAs: n.env.Roots(), MinVersion: minVersion}
}

// dialTLS connects to the chat host and offers the given protocols, best first.
func (n *Network) dialTLS(ctx context.Context, protocols ...string) (*tls.Conn, error) {
	config := n.tlsConfig(tls.VersionTLS13)
	config.NextProtos = protocols
	config.ServerName = n.chat.Hostname()
	port := n.chat.Port()
	if port == "" {
		port = "443"
	}
	dialer := tls.Dialer{Config: config}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(n.chat.Hostname(), port))
	if err != nil {
		return nil, err
	}
	return conn.(*tls.Conn), nil
}
