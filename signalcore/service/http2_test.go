package service_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/service"
	"signalbox/signalcore/service/servicetest"
)

// withExtendedConnect runs the calling test in a process whose HTTP/2 server offers extended CONNECT, which Go decides
// once, at its start. It reports whether this is that process.
func withExtendedConnect(t *testing.T) bool {
	t.Helper()
	const setting = "http2xconnect=1"
	if strings.Contains(os.Getenv("GODEBUG"), setting) {
		return true
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout=5m")
	command.Env = append(os.Environ(), "GODEBUG="+setting)
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return false
}

func TestSocketsOverHTTP2(t *testing.T) {
	if !withExtendedConnect(t) {
		return
	}
	fake := servicetest.StartFake(t, true, nil)
	link := dial(t, fakeNetwork(t, fake, service.Options{KeepaliveInterval: 5 * time.Millisecond}))
	ctx := testContext(t)

	for status, want := range map[int]error{
		401: service.ErrUnlinked, 403: service.ErrUnlinked, 499: service.ErrOutdated, 500: &service.StatusError{Code: 500, Body: "why"},
	} {
		fake.Refuse(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("why"))
		})
		_, err := link.OpenAuthenticated(ctx, service.Credentials{})
		require.Equal(t, want, err)
	}
	fake.Refuse(nil)

	// Two sockets on one connection, of which one ends without the other.
	first, err := link.OpenAuthenticated(ctx, service.Credentials{Username: "user"})
	require.NoError(t, err)
	firstServer := <-fake.Sockets
	require.NotEmpty(t, firstServer.Header.Get("Authorization"))
	second, err := link.OpenAnonymous(ctx)
	require.NoError(t, err)
	secondServer := <-fake.Sockets
	require.Empty(t, secondServer.Header.Get("Authorization"))
	answering(t, secondServer, 200, `{}`)
	require.NoError(t, firstServer.End(4409))
	<-first.Done()
	require.ErrorIs(t, first.Err(), service.ErrConnectedElsewhere)
	_, err = second.Profile(ctx, someone, "", service.Access{})
	require.NoError(t, err)

	// The connection goes, and with it the socket.
	fake.Server.CloseClientConnections()
	<-second.Done()
	var network *service.NetworkError
	require.ErrorAs(t, second.Err(), &network)
	_, err = link.OpenAnonymous(ctx)
	require.ErrorAs(t, err, &network, "a dead link opens nothing")
}
