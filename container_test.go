//go:build linux

package main

import (
	"bufio"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// instruction is a line of a Containerfile.
type instruction struct{ name, rest string }

// containerfile returns the stages of the Containerfile, each from its FROM on.
func containerfile(t *testing.T) [][]instruction {
	t.Helper()
	text, err := os.ReadFile("Containerfile")
	require.NoError(t, err)
	var stages [][]instruction
	for line := range strings.Lines(strings.ReplaceAll(string(text), "\\\n", " ")) {
		name, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case name == "" || strings.HasPrefix(name, "#"):
			continue
		case name == "FROM":
			stages = append(stages, nil)
		}
		require.NotEmpty(t, stages, "before FROM: %s", line)
		last := len(stages) - 1
		stages[last] = append(stages[last], instruction{name, rest})
	}
	return stages
}

// all are the arguments of a stage's instructions of a name.
func all(stage []instruction, name string) (out []string) {
	for _, i := range stage {
		if i.name == name {
			out = append(out, i.rest)
		}
	}
	return out
}

func TestContainerfile(t *testing.T) {
	stages := containerfile(t)
	require.Len(t, stages, 2)
	building, image := stages[0], stages[1]

	module, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	language := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(module)
	require.NotNil(t, language)
	require.Equal(t, "--platform=$BUILDPLATFORM docker.io/library/golang:"+string(language[1])+" AS build", building[0].rest)

	require.Equal(t, []string{"scratch"}, all(image, "FROM"))
	require.Equal(t, []string{
		"--from=build /out/signalbox /signalbox",
		"--from=build --chown=65532:65532 --chmod=0700 /out/data /data",
	}, all(image, "COPY"), "the binary, and an empty directory")
	require.Empty(t, all(image, "RUN"))
	for name, want := range map[string]string{
		"USER": "65532:65532", "VOLUME": "/data", "EXPOSE": "6789", "ENTRYPOINT": `["/signalbox"]`,
		"ENV": "SIGNALBOX_DATA_DIR=/data SIGNALBOX_ADDRESS=0.0.0.0",
	} {
		require.Equal(t, []string{want}, all(image, name), name)
	}
}

// ignored reports whether .dockerignore, as far as ours goes, leaves a file out.
func ignored(t *testing.T, patterns []string, name string) bool {
	t.Helper()
	for _, pattern := range patterns {
		subject := name
		if anywhere, ok := strings.CutPrefix(pattern, "**/"); ok {
			pattern, subject = anywhere, path.Base(name)
		}
		matched, err := path.Match(pattern, subject)
		require.NoError(t, err)
		if matched {
			return true
		}
	}
	return false
}

// containerContext copies what .dockerignore lets through.
func containerContext(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(".dockerignore")
	require.NoError(t, err)
	var patterns []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			patterns = append(patterns, line)
		}
	}
	dir := t.TempDir()
	require.NoError(t, fs.WalkDir(os.DirFS("."), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case ignored(t, patterns, name):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return os.Mkdir(filepath.Join(dir, name), 0o755)
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, name), content, 0o644)
	}))
	return dir
}

// buildImage does what the Containerfile says, without a container engine, and returns the image's root.
func buildImage(t *testing.T) string {
	t.Helper()
	source, out := containerContext(t), shortDir(t)
	require.NoError(t, os.Chmod(out, 0o755))
	built := false
	for _, command := range all(containerfile(t)[0], "RUN") {
		if strings.Contains(command, "go mod download") {
			continue // the modules are here
		}
		cmd := exec.Command("/bin/sh", "-ec", strings.ReplaceAll(command, "/out/", out+"/"))
		cmd.Dir = source
		said, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, said)
		built = true
	}
	require.True(t, built)
	return out
}

// TestContainer builds the image's content, and runs it with nothing else in its world: no /proc, /etc or /dev either.
func TestContainer(t *testing.T) {
	root := buildImage(t)
	binary, err := elf.Open(filepath.Join(root, "signalbox"))
	require.NoError(t, err)
	defer binary.Close()
	for _, program := range binary.Progs {
		require.NotEqual(t, elf.PT_INTERP, program.Type, "it asks for a loader: it is not static")
	}
	if os.Getuid() != 0 {
		t.Skip("needs root for a root directory of its own")
	}
	require.NoError(t, os.Chown(filepath.Join(root, "data"), 65532, 65532))
	require.NoError(t, os.Chmod(filepath.Join(root, "data"), 0o700))

	said, err := inContainer(t, root).CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skip("root may not change its root directory here")
	}
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	require.Equal(t, exitUsage, ended.ExitCode(), "%s", said)
	require.Contains(t, string(said), "--token-file", "nobody is let in without a word")

	require.NoError(t, os.WriteFile(filepath.Join(root, "token"), []byte("correct horse"), 0o644))
	cmd := inContainer(t, root, "SIGNALBOX_TOKEN_FILE=/token", "SIGNALBOX_PORT=0")
	cmd.Args = append(cmd.Args, "--sandbox")
	log, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	bound := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer bound.Stop()
	port := listeningPort(t, bufio.NewScanner(log))
	const send = `{"command":"send_message","token":"correct horse","recipient":"+12025550101","dataMessage":{"message":"Hello"}}`
	require.Contains(t, askAt(t, "tcp", "127.0.0.1:"+port, send), `"statusCode":0`)
	const receive = `{"command":"receive_messages","token":"correct horse","timeout":60000}`
	require.Contains(t, askAt(t, "tcp", "127.0.0.1:"+port, receive), `"body":"Hello"`)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
}

// inContainer is the image's program as an engine would start it.
func inContainer(t *testing.T, root string, environment ...string) *exec.Cmd {
	image := containerfile(t)[1]
	var entry []string
	require.NoError(t, json.Unmarshal([]byte(all(image, "ENTRYPOINT")[0]), &entry))
	cmd := exec.Command(entry[0], entry[1:]...)
	cmd.Err = nil // it is looked for in the new root
	cmd.Dir = "/"
	cmd.Env = append(strings.Fields(all(image, "ENV")[0]), environment...)
	user := &syscall.Credential{}
	_, err := fmt.Sscanf(all(image, "USER")[0], "%d:%d", &user.Uid, &user.Gid)
	require.NoError(t, err)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: user}
	return cmd
}

// listeningPort reads a daemon's log until it says where it listens.
func listeningPort(t *testing.T, log *bufio.Scanner) string {
	t.Helper()
	for log.Scan() {
		t.Log(log.Text())
		var line struct{ Message, Address string }
		if json.Unmarshal(log.Bytes(), &line) == nil && line.Message == "listening" {
			_, port, err := net.SplitHostPort(line.Address)
			require.NoError(t, err)
			return port
		}
	}
	require.Fail(t, "it does not listen")
	return ""
}
