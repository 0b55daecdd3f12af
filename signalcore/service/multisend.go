package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/grpcpb"
)

const (
	grpcSendMultiRecipient = "org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientMessage"
	grpcSendMultiStory     = "org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientStory"
	pathMultiRecipient     = "/v1/messages/multi_recipient"
	contentTypeMulti       = "application/vnd.signal-messenger.mrm"
	// MaxMultiPayload is what the service takes of a message for many (libsignal messages.proto).
	MaxMultiPayload = 762144
	// maxMultiAccounts bounds the accounts that an answer names; more are in no group.
	maxMultiAccounts = 5000
)

// MultiSend is one sealed message for the devices of many accounts (sealed sender v2). The payload names them.
type MultiSend struct {
	Payload   []byte
	Timestamp uint64 // milliseconds; the message's own
	Online    bool   // not worth keeping for a device that is away
	Urgent    bool   // worth waking a phone
	Story     bool   // needs no token
}

// MultiDevicesError is 409 or 410 on a MultiSend, which then reached nobody: for these accounts the devices that the
// payload names are not those of the account.
type MultiDevicesError struct {
	Accounts map[serviceid.ServiceID]AccountDevices
}

// AccountDevices is what MismatchedDevicesError and StaleDevicesError say, of one account.
type AccountDevices struct {
	Missing []uint32 // devices of the account without a message
	Extra   []uint32 // messages for devices that the account does not have
	Stale   []uint32 // devices that were registered anew
}

func (e *MultiDevicesError) Error() string {
	return fmt.Sprintf("the devices of %d of the recipients changed", len(e.Accounts))
}

// SendMultiRecipient sends a message to many at once, with the token of endorsements for exactly these accounts. It
// returns those that are not registered; the others got it. ErrUnauthorized means that the token does not fit. The
// service has moved this call to gRPC; where there is none, the REST call of before is used.
func (a *Anonymous) SendMultiRecipient(
	ctx context.Context, send MultiSend, groupSendToken []byte,
) ([]serviceid.ServiceID, error) {
	if len(send.Payload) > MaxMultiPayload {
		return nil, fmt.Errorf("a message for many of %d bytes: %w", len(send.Payload), ErrTooLarge)
	}
	method := grpcSendMultiRecipient
	if send.Story {
		method = grpcSendMultiStory
	}
	if _, known := a.link.noGRPC.Load(method); !known {
		unregistered, err := a.sendMultiGRPC(ctx, method, send, groupSendToken)
		if !errors.Is(err, ErrNoGRPC) {
			return unregistered, err
		}
		a.link.noGRPC.Store(method, true)
	}
	return a.sendMultiREST(ctx, send, groupSendToken)
}

func (a *Anonymous) sendMultiGRPC(
	ctx context.Context, method string, send MultiSend, token []byte,
) ([]serviceid.ServiceID, error) {
	message := &grpcpb.MultiRecipientMessage{Timestamp: send.Timestamp, Payload: send.Payload}
	var request proto.Message = &grpcpb.SendMultiRecipientMessageRequest{
		Ephemeral: send.Online, Urgent: send.Urgent, Message: message, GroupSendToken: token,
	}
	if send.Story {
		request = &grpcpb.SendMultiRecipientStoryRequest{Urgent: send.Urgent, Message: message}
	}
	var answer grpcpb.SendMultiRecipientMessageResponse
	if err := a.callGRPC(ctx, method, request, &answer); err != nil {
		return nil, err
	}
	return multiAnswer(&answer)
}

func multiAnswer(answer *grpcpb.SendMultiRecipientMessageResponse) ([]serviceid.ServiceID, error) {
	switch {
	case answer.GetSuccess() != nil:
		return unresolved(answer.GetSuccess().GetUnresolvedRecipients())
	case answer.GetFailedUnidentifiedAuthorization() != nil:
		return nil, ErrUnauthorized
	case len(answer.GetMismatchedDevices().GetMismatchedDevices()) > 0:
		return nil, multiMismatch(answer.GetMismatchedDevices().GetMismatchedDevices())
	}
	return nil, fmt.Errorf("%w: an answer to a message for many without an outcome", ErrProtocol)
}

func unresolved(ids []*grpcpb.ServiceIdentifier) ([]serviceid.ServiceID, error) {
	if len(ids) > maxMultiAccounts {
		return nil, fmt.Errorf("%w: %d recipients unknown", ErrProtocol, len(ids))
	}
	var out []serviceid.ServiceID
	for _, id := range ids {
		account, err := fromIdentifier(id)
		if err != nil {
			return nil, err
		}
		out = append(out, account)
	}
	return out, nil
}

func multiMismatch(list []*grpcpb.MismatchedDevices) error {
	if len(list) > maxMultiAccounts {
		return fmt.Errorf("%w: devices of %d recipients changed", ErrProtocol, len(list))
	}
	accounts := map[serviceid.ServiceID]AccountDevices{}
	for _, one := range list {
		account, err := fromIdentifier(one.GetServiceIdentifier())
		if err != nil {
			return err
		}
		accounts[account] = AccountDevices{
			Missing: one.GetMissingDevices(), Extra: one.GetExtraDevices(), Stale: one.GetStaleDevices(),
		}
	}
	return &MultiDevicesError{Accounts: accounts}
}

func fromIdentifier(id *grpcpb.ServiceIdentifier) (serviceid.ServiceID, error) {
	raw, err := uuid.FromBytes(id.GetUuid())
	if err != nil {
		return serviceid.ServiceID{}, fmt.Errorf("%w: a service id of %d bytes", ErrProtocol, len(id.GetUuid()))
	}
	switch id.GetIdentityType() {
	case grpcpb.IdentityType_IDENTITY_TYPE_ACI:
		return serviceid.NewACI(raw), nil
	case grpcpb.IdentityType_IDENTITY_TYPE_PNI:
		return serviceid.NewPNI(raw), nil
	}
	return serviceid.ServiceID{}, fmt.Errorf("%w: a service id of kind %d", ErrProtocol, id.GetIdentityType())
}

func (a *Anonymous) sendMultiREST(
	ctx context.Context, send MultiSend, token []byte,
) ([]serviceid.ServiceID, error) {
	request := &Request{
		Method: http.MethodPut,
		Path: fmt.Sprintf("%s?ts=%d&online=%t&urgent=%t&story=%t",
			pathMultiRecipient, send.Timestamp, send.Online, send.Urgent, send.Story),
		Header: http.Header{"Content-Type": {contentTypeMulti}},
		Body:   send.Payload,
	}
	if !send.Story {
		Access{GroupSendToken: token}.apply(request.Header)
	}
	response, err := a.Do(ctx, request)
	if err != nil {
		return nil, err
	}
	switch response.Status {
	case http.StatusConflict, http.StatusGone:
		return nil, parseMultiMismatch(response)
	}
	if err := response.Err(); err != nil {
		return nil, err
	}
	return parseMultiAnswer(response.Body)
}

func parseMultiAnswer(body []byte) ([]serviceid.ServiceID, error) {
	var answer struct {
		UUIDs404 []string `json:"uuids404"`
	}
	if err := decodeJSON(body, &answer); err != nil {
		return nil, err
	}
	if len(answer.UUIDs404) > maxMultiAccounts {
		return nil, fmt.Errorf("%w: %d recipients unknown", ErrProtocol, len(answer.UUIDs404))
	}
	var out []serviceid.ServiceID
	for _, text := range answer.UUIDs404 {
		id, err := serviceid.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w: an unknown recipient that is no service id", ErrProtocol)
		}
		out = append(out, id)
	}
	return out, nil
}

// parseMultiMismatch reads the body of a 409 or 410 (Signal-Server AccountMismatchedDevices, AccountStaleDevices).
func parseMultiMismatch(response *Response) error {
	var list []struct {
		UUID    string `json:"uuid"`
		Devices struct {
			Missing []uint32 `json:"missingDevices"`
			Extra   []uint32 `json:"extraDevices"`
			Stale   []uint32 `json:"staleDevices"`
		} `json:"devices"`
	}
	if json.Unmarshal(response.Body, &list) != nil || len(list) == 0 || len(list) > maxMultiAccounts {
		return otherStatus(response)
	}
	accounts := map[serviceid.ServiceID]AccountDevices{}
	for _, one := range list {
		id, err := serviceid.Parse(one.UUID)
		if err != nil {
			return otherStatus(response)
		}
		accounts[id] = AccountDevices{Missing: one.Devices.Missing, Extra: one.Devices.Extra, Stale: one.Devices.Stale}
	}
	return &MultiDevicesError{Accounts: accounts}
}
