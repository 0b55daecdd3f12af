package statuscodes

import (
	"context"
	"errors"

	"signalbox/lenientjson"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/cdn"
)

// Coded is an error that carries its own code: what the commands find wrong with a request.
type Coded interface {
	error
	StatusCode() Code
}

// Of returns the code of an error: Success for nil, Unknown for one that nothing here tells apart.
func Of(err error) Code {
	if err == nil {
		return Success
	}
	for _, of := range []func(error) (Code, bool){coded, ofInput, ofClient, ofService, ofSentinel} {
		if code, ok := of(err); ok {
			return code
		}
	}
	return Unknown
}

func coded(err error) (Code, bool) {
	if coded, ok := errors.AsType[Coded](err); ok {
		return coded.StatusCode(), true
	}
	return 0, false
}

// ofInput maps what is wrong with the bytes of a request.
func ofInput(err error) (Code, bool) {
	if syntax, ok := errors.AsType[*lenientjson.SyntaxError](err); ok {
		if syntax.Reason == lenientjson.TooLarge {
			return RequestTooLarge, true
		}
		return InvalidJSON, true
	}
	switch {
	case errors.Is(err, lenientjson.ErrSpool):
		return StorageError, true
	case errors.Is(err, lenientjson.ErrBase64):
		return InvalidAttachment, true
	}
	return 0, false
}

// ofClient maps the client's own types. A send that was cut short wraps a context's error or a network's; how far it
// came does not matter here.
func ofClient(err error) (Code, bool) {
	if errors.Is(err, model.ErrNotLinked) || errors.Is(err, service.ErrUnlinked) {
		return NotLinked, true // whatever failed on the way
	}
	if short, ok := errors.AsType[*model.CutShortError](err); ok {
		if errors.Is(short.Err, model.ErrShuttingDown) {
			return ShuttingDown, true
		}
		return Timeout, true
	}
	if _, ok := errors.AsType[*model.UntrustedIdentityError](err); ok {
		return UntrustedIdentity, true
	}
	if recorded, ok := errors.AsType[*model.RecordedError](err); ok {
		return Code(recorded.Code), true
	}
	if attachment, ok := errors.AsType[*model.AttachmentError](err); ok {
		if inner := Of(attachment.Err); inner != Unknown && inner != NotFound {
			return inner, true
		}
		return InvalidAttachment, true
	}
	return 0, false
}

// ofService maps the service's types. A list of devices that stays wrong after the client has tried again, and any
// other answer that is no success, is a failure of the service, not of the request.
func ofService(err error) (Code, bool) {
	if _, ok := errors.AsType[*service.RateLimitedError](err); ok {
		return RateLimited, true
	}
	if _, ok := errors.AsType[*service.ChallengeError](err); ok {
		return ChallengeRequired, true
	}
	if network, ok := errors.AsType[*service.NetworkError](err); ok {
		if network.Timeout() {
			return Timeout, true
		}
		return NetworkError, true
	}
	if _, ok := errors.AsType[*service.MismatchedDevicesError](err); ok {
		return NetworkError, true
	}
	if _, ok := errors.AsType[*service.StaleDevicesError](err); ok {
		return NetworkError, true
	}
	if _, ok := errors.AsType[*service.MultiDevicesError](err); ok {
		return NetworkError, true
	}
	if _, ok := errors.AsType[*service.StorageConflictError](err); ok {
		return NetworkError, true
	}
	if status, ok := errors.AsType[*service.StatusError](err); ok {
		if status.Temporary() {
			return NetworkError, true
		}
		return Unknown, true
	}
	return 0, false
}

var sentinels = []struct {
	err  error
	code Code
}{
	{service.ErrUnauthorized, NetworkError}, // not the login of this device: that one ends as service.ErrUnlinked
	{model.ErrAlreadyLinked, PermissionDenied},
	{model.ErrPermission, PermissionDenied},
	{service.ErrMissingCapability, PermissionDenied},
	{service.ErrTooManyDevices, PermissionDenied},
	{model.ErrGroupNotFound, GroupNotFound},
	{model.ErrNotAGroupMember, NotAGroupMember},
	{model.ErrNotFound, NotFound},
	{service.ErrLinkCode, NotFound},
	{model.ErrUnknownRecipient, UnregisteredRecipient},
	{service.ErrUnregistered, UnregisteredRecipient},
	{model.ErrKeyReused, InvalidArgument},
	{model.ErrStorage, StorageError},
	{model.ErrShuttingDown, ShuttingDown},
	{service.ErrConnectedElsewhere, NetworkError},
	{service.ErrOutdated, NetworkError},
	{service.ErrClosed, NetworkError},
	{service.ErrProtocol, NetworkError},
	{service.ErrNoGRPC, NetworkError},
	{service.ErrTooLarge, InvalidAttachment},
	{cdn.ErrNotFound, NotFound},
	{cdn.ErrRefused, NetworkError},
	{service.ErrNotInGroup, NotAGroupMember},
	{service.ErrNoGroup, GroupNotFound},
	{service.ErrGroupLink, NotFound},
	{service.ErrGroupForbidden, PermissionDenied},
	{service.ErrGroupBanned, PermissionDenied},
	{service.ErrGroupRejected, InvalidArgument},
	{service.ErrGroupConflict, NetworkError}, // others are faster, again and again
	{service.ErrGroupExists, NetworkError},
	{service.ErrNoProfileCredential, NetworkError},
	{group.ErrRule, InvalidArgument},
	{group.ErrApart, InvalidArgument},
	{group.ErrMalformed, NetworkError},
	{group.ErrState, NetworkError},
	{group.ErrSignature, NetworkError},
	{group.ErrTooNew, NetworkError},
	{group.ErrRevision, NetworkError},
	{group.ErrNotApplicable, NetworkError},
	{zkgroup.ErrVerification, NetworkError}, // what the service sent does not hold: not the caller's fault
	{zkgroup.ErrMalformed, NetworkError},
	{context.DeadlineExceeded, Timeout},
}

func ofSentinel(err error) (Code, bool) {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.code, true
		}
	}
	return 0, false
}
