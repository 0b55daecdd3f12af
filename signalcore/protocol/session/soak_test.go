//go:build soak

package session

import (
	"flag"
	"testing"
)

var conversations = flag.Uint64("conversations", 1000, "how many conversations to run")

// TestSoak is the long version: go test -tags soak -run Soak ./signalcore/protocol/session
func TestSoak(t *testing.T) {
	p := startPeer(t)
	messages, late, twice := 0, 0, 0
	for seed := range *conversations {
		c := converse(t, p, script{
			seed: 1000 + seed, length: 1 + int(seed*37%200), loss: 20, duplicates: 10, reorder: 30,
			resets: int(seed%4) * 10, opener: opener(seed % 3),
		})
		messages, late, twice = messages+c.count, late+c.late, twice+c.twice
	}
	t.Logf("%d conversations, %d messages, %d late, %d twice", *conversations, messages, late, twice)
}
