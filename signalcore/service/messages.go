package service

import (
	"context"
	"net/http"
	"time"

	"signalbox/signalcore/protocol/serviceid"
)

// DeviceMessage is a ciphertext for one device. Type is a servicepb.Envelope_Type.
type DeviceMessage struct {
	Type           int32
	DeviceID       uint32
	RegistrationID uint32
	Content        []byte
}

// Send is one message to all devices of an account.
type Send struct {
	Destination serviceid.ServiceID
	Timestamp   uint64 // milliseconds; the message's own
	Messages    []DeviceMessage
	Online      bool // not worth keeping for a device that is away
	Urgent      bool // worth waking a phone
	Story       bool // anonymous only: needs no access key
}

// SendMessage sends as this device (PUT /v1/messages/{destination}).
func (a *Authenticated) SendMessage(ctx context.Context, send Send) error {
	return sendMessage(ctx, a, send, Access{})
}

// SendMessage sends sealed messages, which do not name the sender. ErrUnauthorized means that the access key no longer
// fits.
func (a *Anonymous) SendMessage(ctx context.Context, send Send, access Access) error {
	return sendMessage(ctx, a, send, access)
}

func sendMessage(ctx context.Context, via Requester, send Send, access Access) error {
	type message struct {
		Type           int32  `json:"type"`
		DeviceID       uint32 `json:"destinationDeviceId"`
		RegistrationID uint32 `json:"destinationRegistrationId"`
		Content        []byte `json:"content"`
	}
	body := struct {
		Messages  []message `json:"messages"`
		Online    bool      `json:"online"`
		Urgent    bool      `json:"urgent"`
		Timestamp uint64    `json:"timestamp"`
	}{make([]message, len(send.Messages)), send.Online, send.Urgent, send.Timestamp}
	for i, m := range send.Messages {
		body.Messages[i] = message(m)
	}
	path := "/v1/messages/" + send.Destination.String()
	if send.Story {
		path += "?story=true"
	}
	request, err := jsonRequest(http.MethodPut, path, body)
	if err != nil {
		return err
	}
	access.apply(request.Header)
	return notFoundMeansUnregistered(callJSON(ctx, via, request, nil))
}

// Milliseconds is the service's form of a time.
func Milliseconds(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }
