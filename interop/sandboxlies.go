package interop

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/signalpb/grpcpb"
	"signalbox/signalcore/signalpb/servicepb"
)

// What stands around signalbox's calls to the sandbox: changes that come in just before its own, answers that are
// falsified, and events of what it asked. On the mock servers the harness does the same (groupservice.mjs, mock.mjs).

// around is the sandbox's Surrounding.
func (s *sandboxed) around(r *wire.Request, next func() *wire.Response) *wire.Response {
	header := r.Header
	if r.Socket != nil {
		header = r.Socket.Header
	}
	if ofHarness(header) {
		return next()
	}
	identified := r.By != nil // a route for anyone forgets it
	if r.Method == http.MethodPatch && r.Path == "/v2/groups" {
		s.comeBetween()
	}
	response := s.refuseToken(r)
	if response == nil {
		response = s.falsify(r, next())
	}
	if response != nil && response.Status == http.StatusInternalServerError {
		s.mock.events.add(Event{Event: "broken", Error: r.Method + " " + r.Path}) // no fault of ours has this status
	}
	s.tell(r, response, identified)
	return response
}

// comeBetween makes the change that a test wants before signalbox's.
func (s *sandboxed) comeBetween() {
	s.mu.Lock()
	var change func()
	if len(s.interposed) > 0 {
		change, s.interposed = s.interposed[0], s.interposed[1:]
	}
	s.mu.Unlock()
	if change != nil {
		change()
	}
}

func (s *sandboxed) interpose(args json.RawMessage) (any, error) {
	var wanted struct{ Times int }
	if err := json.Unmarshal(args, &wanted); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range max(wanted.Times, 1) {
		s.interposed = append(s.interposed, func() {
			if err := s.mock.Try("changeGroup", args, nil); err != nil {
				s.mock.events.add(Event{Event: "broken", Error: err.Error()})
			}
		})
	}
	return nil, nil
}

func (s *sandboxed) forge(args json.RawMessage) (any, error) {
	var wanted struct {
		What  string
		Times int
	}
	if err := json.Unmarshal(args, &wanted); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forged[wanted.What] = wanted.Times
	return nil, nil
}

// lies says whether to falsify this one, and counts it.
func (s *sandboxed) lies(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forged[what] == 0 {
		return false
	}
	s.forged[what]--
	return true
}

// refuseToken refuses a group send token, where a test wants that.
func (s *sandboxed) refuseToken(r *wire.Request) *wire.Response {
	if r.Path == grpcUploads {
		if !s.lies("token") {
			return nil
		}
		body, _ := proto.Marshal(&grpcpb.SendMultiRecipientMessageResponse{
			Response: &grpcpb.SendMultiRecipientMessageResponse_FailedUnidentifiedAuthorization{
				FailedUnidentifiedAuthorization: &grpcpb.FailedUnidentifiedAuthorization{},
			}})
		return &wire.Response{Status: http.StatusOK, Body: body}
	}
	if r.Header.Get("Group-Send-Token") == "" || !s.lies("token") {
		return nil
	}
	return &wire.Response{Status: http.StatusUnauthorized}
}

// falsify changes an answer, where a test wants that.
func (s *sandboxed) falsify(r *wire.Request, response *wire.Response) *wire.Response {
	if response == nil || response.Status/100 != 2 || len(response.Body) == 0 {
		return response
	}
	switch {
	case r.Path == "/v1/certificate/auth/group":
		return s.falsifyJSON(response, "authCredential")
	case strings.HasPrefix(r.Path, "/v1/profile/") && strings.Count(r.Path, "/") == 5:
		return s.falsifyJSON(response, "profileCredential")
	case r.Path == "/v2/groups" && r.Method == http.MethodPatch:
		return rewrite(response, &servicepb.GroupChangeResponse{}, func(m *servicepb.GroupChangeResponse) {
			s.falsifyChange(m.GetGroupChange())
			m.GroupSendEndorsementsResponse = s.falsifyBytes(m.GroupSendEndorsementsResponse, "endorsements")
		})
	case r.Path == "/v2/groups":
		return rewrite(response, &servicepb.GroupResponse{}, func(m *servicepb.GroupResponse) {
			m.GroupSendEndorsementsResponse = s.falsifyBytes(m.GroupSendEndorsementsResponse, "endorsements")
			if r.Method == http.MethodGet && s.lies("state") {
				for _, member := range m.GetGroup().GetMembers() {
					member.UserId = flip(member.GetUserId())
				}
			}
		})
	case strings.HasPrefix(r.Path, "/v2/groups/logs/"):
		return rewrite(response, &servicepb.GroupChanges{}, func(m *servicepb.GroupChanges) {
			for _, one := range m.GetGroupChanges() {
				s.falsifyChange(one.GetGroupChange())
			}
			m.GroupSendEndorsementsResponse = s.falsifyBytes(m.GroupSendEndorsementsResponse, "endorsements")
		})
	}
	return response
}

func (s *sandboxed) falsifyChange(change *servicepb.GroupChange) {
	if len(change.GetServerSignature()) > 0 {
		change.ServerSignature = s.falsifyBytes(change.ServerSignature, "signature")
	}
}

func (s *sandboxed) falsifyBytes(data []byte, what string) []byte {
	if len(data) == 0 || !s.lies(what) {
		return data
	}
	return flip(data)
}

// falsifyJSON changes every credential in an answer.
func (s *sandboxed) falsifyJSON(response *wire.Response, what string) *wire.Response {
	var body map[string]any
	if json.Unmarshal(response.Body, &body) != nil || body["credential"] == nil && body["credentials"] == nil || !s.lies(what) {
		return response
	}
	flipField(body)
	list, _ := body["credentials"].([]any)
	for _, one := range list {
		flipField(one.(map[string]any))
	}
	changed, _ := json.Marshal(body)
	return &wire.Response{Status: response.Status, Header: response.Header, Body: changed}
}

func flipField(object map[string]any) {
	text, _ := object["credential"].(string)
	if decoded, err := wire.DecodeBase64(text); err == nil && len(decoded) > 0 {
		object["credential"] = wire.Bytes(flip(decoded))
	}
}

// rewrite changes an answer in protobuf.
func rewrite[M proto.Message](response *wire.Response, message M, change func(M)) *wire.Response {
	if proto.Unmarshal(response.Body, message) != nil {
		return response
	}
	change(message)
	changed, err := proto.Marshal(message)
	if err != nil {
		return response
	}
	return &wire.Response{Status: response.Status, Header: response.Header, Body: changed}
}

// flip is the same bytes with one bit changed.
func flip(data []byte) []byte {
	changed := bytes.Clone(data)
	changed[len(changed)/2] ^= 1
	return changed
}

// tell makes events of what signalbox asked.
func (s *sandboxed) tell(r *wire.Request, response *wire.Response, identified bool) {
	switch {
	case r.Method == http.MethodPut && r.Path == "/v1/devices/link" && response != nil && response.Status == http.StatusOK:
		s.tellLink(r, response)
	case r.Method == http.MethodPut && r.Path == "/v1/messages/multi_recipient":
		timestamp, _ := strconv.ParseInt(r.Query.Get("ts"), 10, 64)
		e := Event{Timestamp: timestamp, Identified: identified, Online: r.Query.Get("online") == "true"}
		if response != nil {
			e.Status = response.Status
		}
		s.tellUpload(e, r.Body)
	case r.Path == grpcUploads:
		var request grpcpb.SendMultiRecipientMessageRequest
		if proto.Unmarshal(r.Body, &request) != nil {
			return
		}
		s.tellUpload(Event{Timestamp: int64(request.GetMessage().GetTimestamp()), Identified: identified,
			Online: request.GetEphemeral(), Status: outcome(response)}, request.GetMessage().GetPayload())
	}
}

func (s *sandboxed) tellLink(r *wire.Request, response *wire.Response) {
	var request struct {
		Attributes map[string]any `json:"accountAttributes"`
	}
	var answer struct {
		UUID     string `json:"uuid"`
		DeviceID int    `json:"deviceId"`
	}
	if json.Unmarshal(r.Body, &request) == nil && json.Unmarshal(response.Body, &answer) == nil {
		s.mock.events.add(Event{Event: "linkRequest", Account: answer.UUID, Device: answer.DeviceID,
			Attributes: request.Attributes})
	}
}

func (s *sandboxed) tellUpload(e Event, payload []byte) {
	e.Event, e.Bytes = "multiRecipient", len(payload)
	if sent, err := sealedsender.ParseSent(slices.Clone(payload)); err == nil {
		e.Recipients = len(sent.Recipients)
		for _, recipient := range sent.Recipients {
			e.Devices += len(recipient.Devices)
		}
	}
	s.mock.events.add(e)
}

// outcome is the status that the call over the websocket would have.
func outcome(response *wire.Response) int {
	if response == nil {
		return 0
	}
	var answer grpcpb.SendMultiRecipientMessageResponse
	if response.Status != http.StatusOK || proto.Unmarshal(response.Body, &answer) != nil {
		return response.Status
	}
	switch outcome := answer.GetResponse().(type) {
	case *grpcpb.SendMultiRecipientMessageResponse_FailedUnidentifiedAuthorization:
		return http.StatusUnauthorized
	case *grpcpb.SendMultiRecipientMessageResponse_MismatchedDevices:
		for _, one := range outcome.MismatchedDevices.GetMismatchedDevices() {
			if len(one.GetMissingDevices())+len(one.GetExtraDevices()) > 0 {
				return http.StatusConflict
			}
		}
		return http.StatusGone
	}
	return http.StatusOK
}
