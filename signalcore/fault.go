//go:build !faultinjection

package signalcore

// injectFault is where tests make the handling of an envelope panic; see fault_injection.go.
func injectFault(*arrival) {}
