package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/service"
	"signalbox/tcpserver"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"signalbox": main})
}

// The scripts of testdata/script run the binary as a person would. No service is asked but the sandbox.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ask": ask, "hear": hear, "empty": empty, "certificates": certificates, "freeport": freeport,
		},
		Condition: func(name string) (bool, error) {
			if name != "sandbox" {
				return false, fmt.Errorf("unknown condition %s", name)
			}
			return newParser(&options{}, nil).FindOptionByLongName("sandbox") != nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_DATA_HOME", env.WorkDir+"/share")
			return nil
		},
	})
}

func TestExitCodes(t *testing.T) {
	log := zerolog.Nop()
	for _, test := range []struct {
		err  error
		code int
	}{
		{nil, exitOK},
		{usagef("--port"), exitUsage},
		{fmt.Errorf("listening %w", tcpserver.ErrExposed), exitUsage},
		{tcpserver.ErrSocketInUse, exitError},
		{fmt.Errorf("stopped: %w", service.ErrUnlinked), exitUnlinked},
	} {
		require.Equal(t, test.code, exitCode(test.err, true, log), "%v", test.err)
	}
	require.Equal(t, exitUsage, run([]string{"--bogus"}))
	require.Equal(t, exitOK, run([]string{"--help"}))
}

// ask SOCKET REQUEST sends a request once the daemon listens, and writes the reply to stdout.
func ask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ask SOCKET REQUEST")
	}
	conn, err := dialWhenListening(ts.MkAbs(args[0]))
	ts.Check(err)
	defer conn.Close()
	_, err = fmt.Fprintln(conn, args[1])
	ts.Check(err)
	reply, err := bufio.NewReader(conn).ReadString('\n')
	ts.Check(err)
	_, err = ts.Stdout().Write([]byte(reply))
	ts.Check(err)
}

// hear SOCKET TEXT takes messages until one has the text, and writes that reply to stdout. A sandbox's clock may come in
// between.
func hear(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hear SOCKET TEXT")
	}
	conn, err := dialWhenListening(ts.MkAbs(args[0]))
	ts.Check(err)
	defer conn.Close()
	replies := bufio.NewReader(conn)
	for late := time.Now().Add(2 * time.Minute); time.Now().Before(late); {
		_, err = fmt.Fprintln(conn, `{"command":"receive_messages","timeout":60000}`)
		ts.Check(err)
		reply, err := replies.ReadString('\n')
		ts.Check(err)
		if strings.Contains(reply, fmt.Sprintf(`"body":%q`, args[1])) {
			_, err = ts.Stdout().Write([]byte(reply))
			ts.Check(err)
			return
		}
	}
	ts.Fatalf("no message %q came", args[1])
}

// empty DIR fails where something is in the directory.
func empty(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: empty DIR")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(entries) > 0 {
		ts.Fatalf("%s holds %s", args[0], entries[0].Name())
	}
}

func dialWhenListening(socket string) (net.Conn, error) {
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("unix", socket)
		if err == nil || time.Now().After(deadline) {
			return conn, err
		}
	}
}
