// Package servicetest holds what the tests of the service packages share: a driver for Signal's mock servers, which are
// the judges, and a fake in process for the answers that they never give. Nothing but tests imports it.
package servicetest

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
	"signalbox/signalcore/service/environment"
)

// Account is an account of the mock server.
type Account struct {
	ACI            string `json:"aci"`
	PNI            string `json:"pni"`
	Number         string `json:"number"`
	RegistrationID uint32 `json:"registrationId"`
	AccessKey      []byte `json:"accessKey"`
}

// Mock is a running mock server.
type Mock struct {
	Environment *environment.Environment
	Account     Account // whose linked device the test is
	Contact     Account

	t     testing.TB
	in    io.WriteCloser
	lines *bufio.Reader
}

// Versions are the mock servers to pass against: HTTP/2 with gRPC, and HTTP/1.1 with REST.
var Versions = []string{"27", "15"}

// StartMock runs the mock server of a version until the end of the test. It needs Node.
func StartMock(t testing.TB, version string) *Mock {
	t.Helper()
	folder := needs.Packages(t, "mock-server-"+version)
	command := exec.Command("node", filepath.Join(folder, "service", "server.mjs"), version)
	command.Stderr = os.Stderr
	m := &Mock{t: t}
	var err error
	m.in, err = command.StdinPipe()
	require.NoError(t, err)
	out, err := command.StdoutPipe()
	require.NoError(t, err)
	m.lines = bufio.NewReader(out)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = m.in.Close()
		_, _ = io.Copy(io.Discard, m.lines)
		require.NoError(t, command.Wait())
	})
	m.readGreeting()
	return m
}

func (m *Mock) readGreeting() {
	m.t.Helper()
	var greeting struct {
		Port      int
		CA        string
		TrustRoot string
		ZK        map[string]string
		Account   Account
		Contact   Account
	}
	m.read(&greeting)
	m.Account, m.Contact = greeting.Account, greeting.Contact
	base := "https://" + net.JoinHostPort("localhost", strconv.Itoa(greeting.Port))
	description, err := json.Marshal(map[string]any{
		"chatUrl": base, "storageUrl": base + "/storageService",
		"cdnUrls":                     map[string]string{"0": base, "2": base, "3": base + "/cdn3"},
		"caCertificates":              []string{greeting.CA},
		"sealedSenderTrustRoots":      []string{greeting.TrustRoot},
		"zkServerPublicParams":        greeting.ZK["publicParams"],
		"zkGenericServerPublicParams": greeting.ZK["genericPublicParams"],
		"zkBackupServerPublicParams":  greeting.ZK["backupPublicParams"],
	})
	require.NoError(m.t, err)
	m.Environment, err = environment.Parse(description)
	require.NoError(m.t, err)
}

func (m *Mock) read(into any) {
	m.t.Helper()
	line, err := m.lines.ReadBytes('\n')
	require.NoError(m.t, err)
	require.NoError(m.t, json.Unmarshal(line, into), "%s", line)
}

// Do gives a command of testdata/interop/service/server.mjs and reads its answer into into, unless that is nil.
func (m *Mock) Do(name string, arguments map[string]any, into any) {
	m.t.Helper()
	if arguments == nil {
		arguments = map[string]any{}
	}
	arguments["do"] = name
	line, err := json.Marshal(arguments)
	require.NoError(m.t, err)
	_, err = m.in.Write(append(line, '\n'))
	require.NoError(m.t, err)
	var answer json.RawMessage
	m.read(&answer)
	var failure struct{ Error string }
	require.NoError(m.t, json.Unmarshal(answer, &failure))
	require.Empty(m.t, failure.Error, name)
	if into != nil {
		require.NoError(m.t, json.Unmarshal(answer, into))
	}
}
