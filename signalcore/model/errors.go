package model

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/serviceid"
)

// What the client answers in place of a result, besides the errors of package service. Package statuscodes maps each.
var (
	// ErrNotLinked is for everything that needs an account, where there is none or the device was unlinked.
	ErrNotLinked = errors.New("no account is linked here: run signalbox link, or send start_link")
	// ErrAlreadyLinked is for linking where a working account is.
	ErrAlreadyLinked = errors.New("an account is linked here already")
	// ErrGroupNotFound is for a group that this account does not know.
	ErrGroupNotFound = errors.New("this account knows no such group")
	// ErrNotAGroupMember is for sending to a group that this account has left.
	ErrNotAGroupMember = errors.New("this account is not a member of the group")
	// ErrNotFound is for a message, attachment or send that does not exist, or no longer.
	ErrNotFound = errors.New("not found")
	// ErrUnknownRecipient is for a recipient who could not be resolved: a number or username with no account known.
	ErrUnknownRecipient = errors.New("no Signal account is known for this recipient")
	// ErrKeyReused is for an idempotency key that an earlier, different request has used.
	ErrKeyReused = errors.New("this idempotencyKey belongs to another request")
	// ErrStorage wraps what the disk refused.
	ErrStorage = errors.New("the daemon's storage failed")
	// ErrShuttingDown is for what cannot be begun any more.
	ErrShuttingDown = errors.New("the daemon is shutting down")
	// ErrPermission is for what this account, or a linked device, may not do.
	ErrPermission = errors.New("this device may not do that")
)

// UntrustedIdentityError is for a recipient whose identity key is marked as not trusted.
type UntrustedIdentityError struct {
	ServiceID serviceid.ServiceID
}

func (e *UntrustedIdentityError) Error() string {
	return fmt.Sprintf("the identity key of %s is not trusted", e.ServiceID)
}

// AttachmentError is for an attachment that cannot be sent or read: Index is its place in the request.
type AttachmentError struct {
	Index int
	Err   error
}

func (e *AttachmentError) Error() string { return fmt.Sprintf("attachment %d: %v", e.Index, e.Err) }
func (e *AttachmentError) Unwrap() error { return e.Err }

// Departure says how far a send that was cut short had come.
type Departure int

const (
	// NotLeft means that nothing was given to the service.
	NotLeft Departure = iota
	// MayHaveLeft means that the service may have it for some or all recipients.
	MayHaveLeft
)

// CutShortError is for a send whose context ended before its outcome was known. Err is the context's.
type CutShortError struct {
	Departure Departure
	Timestamp uint64
	Err       error
}

func (e *CutShortError) Error() string {
	if e.Departure == MayHaveLeft {
		return "the send was cut short: the message may have left"
	}
	return "the send was cut short: the message has not left"
}

func (e *CutShortError) Unwrap() error { return e.Err }

// RecordedError is the outcome of an earlier attempt, as it was kept on disk: its status code (package statuscodes) and
// its sentence.
type RecordedError struct {
	Code int
	Text string
}

func (e *RecordedError) Error() string { return e.Text }
