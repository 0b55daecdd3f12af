package messages

import (
	"bytes"
	"context"
	"crypto/subtle"
	"net/http"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/grpcpb"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	mediaTypeMulti = "application/vnd.signal-messenger.mrm"
	// maxMultiPayload is of messages.proto.
	maxMultiPayload = 762144
)

// multi is a message for many, on its way through the checks.
type multi struct {
	sent       *sealedsender.Sent
	timestamp  uint64
	ephemeral  bool
	urgent     bool
	story      bool
	resolved   map[serviceid.ServiceID]*accounts.Account
	unresolved []serviceid.ServiceID
}

// hasDuplicates is MessageUtil.hasDuplicateDevices.
func (m *multi) hasDuplicates() bool {
	for _, r := range m.sent.Recipients {
		seen := map[uint32]bool{}
		for _, d := range r.Devices {
			if seen[d.ID] {
				return true
			}
			seen[d.ID] = true
		}
	}
	return false
}

// resolve is MessageUtil.resolveRecipients and getUnresolvedRecipients.
func (m *multi) resolve(book *accounts.Book) {
	m.resolved = map[serviceid.ServiceID]*accounts.Account{}
	for _, r := range m.sent.Recipients {
		if account := book.Find(r.ServiceID); account != nil {
			m.resolved[r.ServiceID] = account
			continue
		}
		m.unresolved = append(m.unresolved, r.ServiceID)
	}
}

// addressed are the accounts that a token has to be for: not those that are named to get nothing.
func (m *multi) addressed() []serviceid.ServiceID {
	var out []serviceid.ServiceID
	for _, r := range m.sent.Recipients {
		out = append(out, r.ServiceID)
	}
	return out
}

// sendMulti is MessageController.sendMultiRecipientMessage.
func (h *Hub) sendMulti(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if !r.IsType(mediaTypeMulti) {
		return nil, wire.Refuse(http.StatusUnsupportedMediaType)
	}
	m, err := parseMulti(r)
	if err != nil {
		return nil, err
	}
	key, token, err := accounts.ReadCredentials(r)
	if err != nil {
		return nil, err
	}
	switch {
	case m.story && token != nil, m.hasDuplicates():
		return nil, wire.Refuse(http.StatusBadRequest)
	case m.story:
	case token == nil && key == nil:
		return nil, wire.Refuse(http.StatusUnauthorized)
	case token != nil && key != nil:
		return nil, wire.Refuse(http.StatusBadRequest)
	case token != nil:
		if err := h.book.VerifyToken(token, m.addressed()...); err != nil {
			return nil, err
		}
	}
	m.resolve(h.book)
	if !m.story && token == nil {
		if err := m.checkKeys(key); err != nil {
			return nil, err
		}
	}
	if err := h.sendToMany(m); err != nil {
		return nil, err
	}
	unknown := []string{}
	for _, id := range m.unresolved {
		if !m.story {
			unknown = append(unknown, id.String())
		}
	}
	return wire.JSON(map[string][]string{"uuids404": unknown})
}

func parseMulti(r *wire.Request) (*multi, error) {
	bad := wire.Refuse(http.StatusBadRequest)
	timestamp, err := r.Number("ts")
	if err != nil {
		return nil, err
	}
	sent, err := sealedsender.ParseSent(r.Body)
	if err != nil || len(sent.Recipients) == 0 || timestamp < 0 || timestamp > maxTimestamp {
		return nil, bad
	}
	return &multi{
		sent: sent, timestamp: uint64(timestamp), ephemeral: r.Flag("online", false),
		urgent: r.Flag("urgent", true), story: r.Flag("story", false),
	}, nil
}

// checkKeys is MessageController.checkAccessKeys: the key is all access keys combined. It is no more for PNIs, nor for
// recipients who are not there: 404.
func (m *multi) checkKeys(key []byte) error {
	if len(m.unresolved) > 0 {
		return wire.Refuse(http.StatusNotFound)
	}
	combined := make([]byte, profilekey.AccessKeySize)
	for id, account := range m.resolved {
		if id.Kind == serviceid.PNI || !account.Unrestricted && len(account.AccessKey) != len(combined) {
			return wire.Refuse(http.StatusUnauthorized)
		}
		if !account.Unrestricted {
			subtle.XORBytes(combined, combined, account.AccessKey)
		}
	}
	if subtle.ConstantTimeCompare(combined, key) != 1 {
		return wire.Refuse(http.StatusUnauthorized)
	}
	return nil
}

// sendToMany is MessageSender.sendMultiRecipientMessage for REST.
func (h *Hub) sendToMany(m *multi) error {
	if m.tooLarge() {
		return wire.Refuse(http.StatusRequestEntityTooLarge)
	}
	if mismatches := h.mismatches(m); len(mismatches) > 0 {
		return multiRefusal(mismatches)
	}
	return h.queueForMany(m)
}

func (m *multi) tooLarge() bool {
	for _, r := range m.sent.Recipients {
		if len(m.sent.For(r)) > maxMessage {
			return true
		}
	}
	return false
}

// accountMismatch is one entry of AccountMismatchedDevices and AccountStaleDevices.
type accountMismatch struct {
	id serviceid.ServiceID
	*mismatch
}

func (h *Hub) mismatches(m *multi) []accountMismatch {
	var out []accountMismatch
	for _, r := range m.sent.Recipients {
		account := m.resolved[r.ServiceID]
		if account == nil {
			continue
		}
		registrations := map[uint32]uint32{}
		for _, d := range r.Devices {
			registrations[d.ID] = d.RegistrationID
		}
		found := compare(account, r.ServiceID.Kind, registrations, 0)
		if found == nil {
			found = h.pretended(account, registrations)
		}
		if found != nil {
			out = append(out, accountMismatch{r.ServiceID, found})
		}
	}
	return out
}

// multiRefusal is 409 for the accounts whose devices are others, and 410 where nothing but registrations differ.
func multiRefusal(mismatches []accountMismatch) error {
	type entry struct {
		UUID    string              `json:"uuid"`
		Devices map[string][]uint32 `json:"devices"`
	}
	var other, stale []entry
	for _, m := range mismatches {
		if len(m.missing)+len(m.extra) > 0 {
			other = append(other, entry{m.id.String(), m.devicesBody()})
		}
		if len(m.stale) > 0 {
			stale = append(stale, entry{m.id.String(), m.staleBody()})
		}
	}
	if len(other) > 0 {
		return wire.RefuseWith(http.StatusConflict, other)
	}
	return wire.RefuseWith(http.StatusGone, stale)
}

func (h *Hub) queueForMany(m *multi) error {
	for _, r := range m.sent.Recipients {
		account := m.resolved[r.ServiceID]
		if account == nil {
			continue
		}
		content := bytes.Clone(m.sent.For(r))
		for _, d := range r.Devices {
			envelope := h.stamp(&servicepb.Envelope{
				Type: servicepb.Envelope_UNIDENTIFIED_SENDER.Enum(), Content: content, ClientTimestamp: &m.timestamp,
				DestinationServiceIdBinary: r.ServiceID.Binary(), Urgent: &m.urgent,
			})
			if m.ephemeral {
				envelope.Ephemeral = proto.Bool(true)
			}
			if m.story {
				envelope.Story = proto.Bool(true)
			}
			if err := h.queues.add(wire.Device{Account: account.ACI.UUID, ID: d.ID}, envelope); err != nil {
				return wire.Refuse(http.StatusInternalServerError)
			}
		}
	}
	return nil
}

// sendMultiGRPC is MessagesAnonymousGrpcService.sendMultiRecipientMessage.
func (h *Hub) sendMultiGRPC(_ context.Context, _ *wire.Device, message []byte) (proto.Message, error) {
	var request grpcpb.SendMultiRecipientMessageRequest
	if proto.Unmarshal(message, &request) != nil {
		return nil, wire.InvalidArgument()
	}
	m, err := parseMultiGRPC(request.GetMessage())
	if err != nil {
		return nil, err
	}
	m.ephemeral, m.urgent = request.GetEphemeral(), request.GetUrgent()
	if h.book.VerifyToken(request.GetGroupSendToken(), m.addressed()...) != nil {
		return &grpcpb.SendMultiRecipientMessageResponse{
			Response: &grpcpb.SendMultiRecipientMessageResponse_FailedUnidentifiedAuthorization{
				FailedUnidentifiedAuthorization: &grpcpb.FailedUnidentifiedAuthorization{},
			},
		}, nil
	}
	return h.answerGRPC(m)
}

// sendStoryGRPC is MessagesAnonymousGrpcService.sendMultiRecipientStory.
func (h *Hub) sendStoryGRPC(_ context.Context, _ *wire.Device, message []byte) (proto.Message, error) {
	var request grpcpb.SendMultiRecipientStoryRequest
	if proto.Unmarshal(message, &request) != nil {
		return nil, wire.InvalidArgument()
	}
	m, err := parseMultiGRPC(request.GetMessage())
	if err != nil {
		return nil, err
	}
	m.urgent, m.story = request.GetUrgent(), true
	return h.answerGRPC(m)
}

func parseMultiGRPC(message *grpcpb.MultiRecipientMessage) (*multi, error) {
	if len(message.GetPayload()) > maxMultiPayload || message.GetTimestamp() > maxTimestamp {
		return nil, wire.InvalidArgument()
	}
	sent, err := sealedsender.ParseSent(message.GetPayload())
	if err != nil {
		return nil, wire.InvalidArgument()
	}
	m := &multi{sent: sent, timestamp: message.GetTimestamp()}
	if len(sent.Recipients) == 0 || m.hasDuplicates() {
		return nil, wire.InvalidArgument()
	}
	return m, nil
}

func (h *Hub) answerGRPC(m *multi) (proto.Message, error) {
	m.resolve(h.book)
	if m.tooLarge() {
		return nil, wire.InvalidArgument()
	}
	if mismatches := h.mismatches(m); len(mismatches) > 0 {
		answer := &grpcpb.MultiRecipientMismatchedDevices{}
		for _, one := range mismatches {
			answer.MismatchedDevices = append(answer.MismatchedDevices, &grpcpb.MismatchedDevices{
				ServiceIdentifier: identifier(one.id), MissingDevices: one.missing, ExtraDevices: one.extra,
				StaleDevices: one.stale,
			})
		}
		return &grpcpb.SendMultiRecipientMessageResponse{
			Response: &grpcpb.SendMultiRecipientMessageResponse_MismatchedDevices{MismatchedDevices: answer},
		}, nil
	}
	if err := h.queueForMany(m); err != nil {
		return nil, err
	}
	success := &grpcpb.MultiRecipientSuccess{}
	for _, id := range m.unresolved {
		if !m.story {
			success.UnresolvedRecipients = append(success.UnresolvedRecipients, identifier(id))
		}
	}
	return &grpcpb.SendMultiRecipientMessageResponse{
		Response: &grpcpb.SendMultiRecipientMessageResponse_Success{Success: success},
	}, nil
}

func identifier(id serviceid.ServiceID) *grpcpb.ServiceIdentifier {
	kind := grpcpb.IdentityType_IDENTITY_TYPE_ACI
	if id.Kind == serviceid.PNI {
		kind = grpcpb.IdentityType_IDENTITY_TYPE_PNI
	}
	return &grpcpb.ServiceIdentifier{IdentityType: kind, Uuid: id.UUID[:]}
}
