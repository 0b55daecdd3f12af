package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"signalbox/interop"
)

// session sets the session cipher beside the official library's through Node: both parse and serialise the record for
// each message. In ping-pong every message takes a Diffie-Hellman step; encrypting and decrypting are averaged there.
func session(t *tb) []row {
	ours := goBenchmarks(t, "./signalcore/protocol/session", "^Benchmark(Encrypt|Decrypt|PingPong)$")
	theirs := official(t, "session-bench.mjs", "2000")
	pingPong := (theirs["pingPongEncrypt"] + theirs["pingPongDecrypt"]) / 2
	line := func(what, cited string, ours, theirs float64) row {
		return row{what: what, ours: micros(ours), aim: "half of the official library's " + micros(theirs), cli: cited,
			ceiling: micros(theirs)}
	}
	return []row{
		line("session encrypt, one way", "(220 µs, official)", ours["Encrypt"], theirs["oneWayEncrypt"]),
		line("session decrypt, one way", "(225 µs, official)", ours["Decrypt"], theirs["oneWayDecrypt"]),
		line("session encrypt or decrypt, ping-pong", "(220 and 420 µs, official)", ours["PingPong"]/4, pingPong),
	}
}

func micros(n float64) string { return fmt.Sprintf("%.0f µs", n) }

var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark([\w/]+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op`)

// goBenchmarks runs a package's benchmarks and answers microseconds by name.
func goBenchmarks(t *tb, pkg, names string) map[string]float64 {
	//nolint:gosec // names of ours
	cmd := exec.Command("go", "test", "-run", "^$", "-bench", names, "-benchtime", "2s", pkg)
	cmd.Dir = interop.Root()
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("benchmarks of %s: %v\n%s", pkg, err, output)
	}
	each := map[string]float64{}
	for _, match := range benchmarkLine.FindAllSubmatch(output, -1) {
		nanos, _ := strconv.ParseFloat(string(match[2]), 64)
		each[string(match[1])] = nanos / 1000
	}
	return each
}

// official runs a script of testdata/interop and answers its microseconds by name.
func official(t *tb, script, rounds string) map[string]float64 {
	cmd := exec.Command("node", script, rounds)
	cmd.Dir = filepath.Join(interop.Root(), "testdata", "interop")
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	var each map[string]float64
	if err := json.Unmarshal(output, &each); err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return each
}
