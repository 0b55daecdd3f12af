//go:build soak

package senderkey

import (
	"flag"
	"testing"

	"signalbox/testdata/interop/official"
)

var conversations = flag.Uint64("conversations", 1000, "how many conversations to run")

// TestSoak is the long version: go test -tags soak -run Soak ./signalcore/protocol/senderkey
func TestSoak(t *testing.T) {
	peer := official.Start(t, "sealed/peer.mjs")
	var all tally
	for seed := range *conversations {
		all.add(converse(t, peer, 1000+seed, 20+int(seed*37%200)))
	}
	t.Logf("%d conversations: %+v", *conversations, all)
}
