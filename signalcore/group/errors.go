package group

import (
	"errors"
	"fmt"

	"signalbox/signalcore/model"
)

// What is wrong with bytes of the service or of a message.
var (
	// ErrMalformed is for bytes that are no group, change, state or link.
	ErrMalformed = errors.New("malformed group data")
	// ErrState is for a state that no honest service would give: of another group, with members who do not decrypt,
	// appear twice or have a role that does not exist.
	ErrState = errors.New("the service's state of the group is not possible")
	// ErrSignature is for a change that the service has not signed, or not for this group.
	ErrSignature = errors.New("the group change is not signed by the service for this group")
	// ErrTooNew is for a change with actions that this version does not know: the whole state has to be fetched.
	ErrTooNew = errors.New("the group change is of a later kind than this version knows")
	// ErrRevision is for a change that does not follow the state.
	ErrRevision = errors.New("the group change does not follow this revision")
	// ErrNotApplicable is for a change that does not fit the state: the whole state has to be fetched.
	ErrNotApplicable = errors.New("the group change does not fit the group's state")
)

// What is wrong with a wish. ErrRule is their common kind, apart from those that are model's: model.ErrPermission for
// what only an admin may do, model.ErrNotAGroupMember for what only a member may.
var (
	ErrRule = errors.New("the group does not take this")
	// ErrTooLong is for titles, descriptions and labels.
	ErrTooLong error = &kindError{"too long", ErrRule}
	// ErrFull is for a group with as many members and invitations as it may have.
	ErrFull error = &kindError{"the group is full", ErrRule}
	// ErrLastAdmin is for leaving, or giving up the role, where that leaves members without an admin.
	ErrLastAdmin error = &kindError{
		"the last admin of a group has to make someone else admin first (adminToPromote)", ErrRule}
	// ErrLink is for text that is no group link.
	ErrLink error = &kindError{"that is not a link to a group", ErrRule}
	// ErrNotAdmin is for what only admins may do.
	ErrNotAdmin error = &kindError{"only an admin of the group may", model.ErrPermission}
	// ErrTerminated is for changes of a group that was ended.
	ErrTerminated error = &kindError{"the group was ended", model.ErrPermission}
	// ErrBanned is for joining.
	ErrBanned error = &kindError{"this account is banned from the group", model.ErrPermission}
	// ErrApart is for parts that contradict each other in one revision; they can be done one after the other.
	ErrApart = errors.New("the group does not take these two in one revision")
)

// kindError has words of its own, and is of a kind: who reads it is told what is wrong, and not twice.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// ruleError words a wish that cannot be fulfilled.
func ruleError(format string, args ...any) error {
	return &kindError{fmt.Sprintf(format, args...), ErrRule}
}

func stateError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrState, fmt.Sprintf(format, args...))
}
