//go:build faultinjection

package signalcore

import (
	"os"
	"strconv"
)

// injectFault panics for the envelope whose client timestamp SIGNALBOX_TEST_PANIC_TIMESTAMP names: the tests' way to
// see what one poisonous message does to the others. It is not in a normal build.
func injectFault(a *arrival) {
	timestamp, err := strconv.ParseUint(os.Getenv("SIGNALBOX_TEST_PANIC_TIMESTAMP"), 10, 64)
	if err == nil && a.envelope.GetClientTimestamp() == timestamp {
		panic("an injected fault")
	}
}
