package main

import (
	"fmt"
	"strings"
	"time"

	"signalbox/interop"
)

const (
	groupSize     = 100
	groupSends    = 100
	pairwiseSends = 10
)

// group is sending to a group of 100 by sender key, beside the same text to the same people one by one, and beside the
// official library doing the first in the same run: 98 members of one device, ten of them with a second one. The mock
// opens the first messages (the check that all can be read), and takes the measured ones unopened: in one thread of
// Node, a hundred decryptions would be all that is measured.
func group(t *tb, version int) []row {
	r := interop.NewRig(t, version, interop.RigOptions{}, "admin")
	members, names := r.Crowd("member", groupSize-2)
	made := r.Contact("admin").NewGroup("a hundred", interop.Changes{"members": append(names, "me"), "announceTo": "me"})
	c := r.Daemon.Dial()
	defer c.Close()
	c.AwaitGroup("the group", made.ID, func(g interop.GroupView) bool { return len(g.Members) == groupSize })
	everyone := append([]*interop.Account{r.Contact("admin")}, members...)
	c.SendGroupText(made.ID, "the first brings the key")
	awaitAll(everyone, "the first brings the key")
	first := len(r.Uploads())
	c.SendGroupText(made.ID, "opened by all: before")
	before := awaitAll(everyone, "opened by all: before")

	r.Call("options", map[string]any{"deaf": true}, nil)
	pid := r.Daemon.PID()
	elapsed, used := timed(t, pid, groupSends, func(i int) { c.SendGroupText(made.ID, fmt.Sprintf("group %d", i)) })
	pairElapsed, pairUsed := timed(t, pid, pairwiseSends, func(i int) { c.Must(pairwise(everyone, i)) })
	r.Call("options", map[string]any{"deaf": false}, nil)
	c.SendGroupText(made.ID, "opened by all: after")
	after := awaitAll(everyone, "opened by all: after")
	uploads := float64(len(r.Uploads())-first-1) / (groupSends + 1)
	encryptions := float64(after-before) / (groupSends + 1)
	theirs := officialGroup(r, made)
	return []row{
		{what: fmt.Sprintf("sends to a group of %d by sender key", groupSize), ours: perSecond(groupSends, elapsed),
			aim: "the official library", ceiling: rate(theirs)},
		{what: "CPU of each, transcript included", ours: millis(used / groupSends), ceiling: cost(theirs)},
		{what: "uploads of each; encryptions of its body", ours: fmt.Sprintf("%.2f; %.2f", uploads, encryptions), aim: "1; 1",
			ceiling: "1; 1"},
		{what: "the same text to these one by one", ours: fmt.Sprintf("%.2f/s", pairwiseSends/pairElapsed.Seconds())},
		{what: "CPU of each such", ours: millis(pairUsed / pairwiseSends)},
	}
}

func pairwise(to []*interop.Account, i int) interop.Request {
	var recipients []string
	for _, member := range to {
		recipients = append(recipients, member.ACI)
	}
	return interop.Request{"command": "send_message", "recipients": recipients,
		"dataMessage": map[string]any{"message": fmt.Sprintf("pairwise %d", i)}}
}

// timed does a thing several times; it answers how long all of it took, and what the process used.
func timed(t *tb, pid, times int, do func(i int)) (elapsed, used time.Duration) {
	used, started := cpu(t, pid), time.Now()
	for i := range times {
		do(i)
	}
	elapsed = time.Since(started)
	return elapsed, cpu(t, pid) - used
}

// awaitAll waits until each first device has the text, and answers the step of the sender key's chain that it is of.
func awaitAll(members []*interop.Account, body string) (iteration int) {
	for _, member := range members {
		iteration = member.AwaitText(body).Iteration
	}
	return iteration
}

// officialGroup has another linked device of ours send to the group, played by the official library.
func officialGroup(r *interop.Rig, made *interop.Group) interop.OfficialResult {
	r.Call("options", map[string]any{"deaf": true}, nil)
	defer r.Call("options", map[string]any{"deaf": false}, nil)
	_, result := made.OfficialGroupDevice(r.Me, groupSends).Finish()
	return result
}

// sealing is one message sealed for a hundred people, by both: the benchmark has both as sub-benchmarks.
func sealing(t *tb) []row {
	each := goBenchmarks(t, "./signalcore/protocol/sealedsender", "^BenchmarkEncryptMulti$")
	theirs := micros(each["EncryptMulti/official"])
	return []row{{what: "sealing for 100 recipients", ours: micros(each["EncryptMulti/ours"]),
		aim: "the official library's " + theirs, ceiling: theirs}}
}

// zkgroup sets the steps that a client takes beside the official library's, through Node, over parsed objects; and
// what only the service does, the verification of presentations, which is tested with our own server side.
func zkgroup(t *tb) (rows []row) {
	steps := []struct{ bench, what string }{
		{"ReceiveAuth", "receiving an auth credential"},
		{"PresentAuth", "presenting it, for each question to the group server"},
		{"VerifyAuth", "verifying that (the service)"},
		{"ReceiveProfile", "receiving a profile key credential"},
		{"PresentProfile", "presenting it, for each member who is added"},
		{"VerifyProfile", "verifying that (the service)"},
		{"VerifySignature", "verifying a group change's signature"},
		{"ReceiveEndorsements100", "receiving the endorsements of 100 members"},
		{"Token", "a token for an upload"},
		{"VerifyToken100", "verifying that for 100 (the service)"},
	}
	var names []string
	for _, step := range steps {
		names = append(names, step.bench)
	}
	ours := goBenchmarks(t, "./signalcore/protocol/zkgroup", "^Benchmark("+strings.Join(names, "|")+")$")
	theirs := official(t, "zkgroup-bench.mjs", "200")
	for _, step := range steps {
		rows = append(rows, row{what: step.what, ours: micros(ours[step.bench]), aim: "within 3 times of the Rust",
			ceiling: micros(theirs[step.bench])})
	}
	return rows
}
