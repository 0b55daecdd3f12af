// Package model holds the plain types that pass between the commands and the Signal client: requests, results, inbox
// messages, events. Package commands defines the interface that takes and returns them; signalcore implements it.
//
// There is no logic and no I/O here, and nothing of JSON: field names and coercion of requests are in commands, the
// form of received messages in commands/render.
package model

import "io"

// Blob is a run of bytes of known size that need not be in memory: an attachment in a request (decoded as it arrived,
// in a spool file when long) or in a reply (a file of the attachment store). The zero value is empty.
//
// Open may be called any number of times, from any goroutine; each reader starts at the first byte and must yield
// exactly Size bytes. A blob of a request is valid until its command has returned.
type Blob struct {
	Size int64
	Open func() (io.ReadCloser, error)
}
