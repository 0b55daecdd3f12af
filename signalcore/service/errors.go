package service

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Errors that callers tell apart with errors.Is.
var (
	// ErrUnauthorized is 401 on a request: credentials of a group or of the storage service, or an access key, that no
	// longer fit. Of this device's own login ErrUnlinked says so.
	ErrUnauthorized = errors.New("the service does not accept these credentials")
	// ErrUnlinked ends the authenticated socket: this device is no longer part of the account (401 or
	// 403 on opening it, close codes 3000 and 4401).
	ErrUnlinked = errors.New("this device is not linked to the account any more")
	// ErrConnectedElsewhere ends the authenticated socket: the same device connected again (close code 4409).
	ErrConnectedElsewhere = errors.New("this device is connected elsewhere")
	// ErrUnregistered is 404 where an account or a device was asked for.
	ErrUnregistered = errors.New("the recipient is not registered with the service")
	// ErrOutdated is 499: the service refuses this version of the program.
	ErrOutdated = errors.New("the service asks for a newer version of this program")
	// ErrTooLarge is returned for an upload larger than the service takes.
	ErrTooLarge = errors.New("larger than the service takes")
	// ErrClosed is the end of a connection that was closed from here.
	ErrClosed = errors.New("the connection is closed")
	// ErrProtocol is the end of a connection whose other side broke the protocol or a bound.
	ErrProtocol = errors.New("the service broke the protocol")
	// ErrNoGRPC is returned for a gRPC call over a connection that cannot carry it.
	ErrNoGRPC = errors.New("this connection carries no gRPC")
)

// MismatchedDevicesError is 409 on a send: the list of devices is not that of the account.
type MismatchedDevicesError struct {
	Missing []uint32 // devices of the account without a message
	Extra   []uint32 // messages for devices that the account does not have
}

func (e *MismatchedDevicesError) Error() string {
	return fmt.Sprintf("the recipient's devices changed: %d missing, %d gone", len(e.Missing), len(e.Extra))
}

// StaleDevicesError is 410 on a send: these devices were registered anew since the session was made.
type StaleDevicesError struct {
	Stale []uint32
}

func (e *StaleDevicesError) Error() string {
	return fmt.Sprintf("%d of the recipient's devices were registered anew", len(e.Stale))
}

// RateLimitedError is 413 or 429. RetryAfter is zero where the service did not say.
type RateLimitedError struct {
	RetryAfter time.Duration
}

func (e *RateLimitedError) Error() string {
	if e.RetryAfter == 0 {
		return "the service limits the rate of requests"
	}
	return fmt.Sprintf("the service limits the rate of requests: try again in %v", e.RetryAfter)
}

// ChallengeError is 428: a captcha is wanted before the next send.
type ChallengeError struct {
	Token      string
	Options    []string
	RetryAfter time.Duration
}

func (e *ChallengeError) Error() string {
	return "the service wants a challenge solved before more is sent: " + strings.Join(e.Options, ", ")
}

// NetworkError means that the service was not reached, or that the connection or the patience ended before the answer.
// MayHaveLeft is false only where the request was certainly not written, so that it can be repeated without harm.
type NetworkError struct {
	Err         error
	MayHaveLeft bool
}

func (e *NetworkError) Error() string {
	if e.MayHaveLeft {
		return fmt.Sprintf("no answer from the service: %v", e.Err)
	}
	return fmt.Sprintf("the service was not reached: %v", e.Err)
}

func (e *NetworkError) Unwrap() error { return e.Err }

// WithoutURL takes the address out of an error of net/http. Errors are shown and logged, and an address holds what is
// nobody else's: the password of a group's link, the place of an attachment.
func WithoutURL(err error) error {
	if named, ok := errors.AsType[*url.Error](err); ok {
		return named.Err
	}
	return err
}

// Timeout reports whether time ran out, as net.Error has it.
func (e *NetworkError) Timeout() bool { return errors.Is(e.Err, context.DeadlineExceeded) }

// StatusError is any other answer that is no success. Body is the start of what came with it, for logs.
type StatusError struct {
	Code int
	Body string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("the service answered with status %d", e.Code)
}

// Temporary reports whether the fault is the service's, and may pass.
func (e *StatusError) Temporary() bool { return e.Code >= 500 }

// GRPCError is a gRPC status that means none of the above.
type GRPCError struct {
	Code    int
	Reason  string // of the service's ErrorInfo, where there is one
	Message string
}

func (e *GRPCError) Error() string {
	return fmt.Sprintf("the service answered with gRPC status %d %s", e.Code, e.Reason)
}
