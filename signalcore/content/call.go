package content

import "signalbox/signalcore/signalpb/servicepb"

const maxEraID = 256

// CallType is a step of a call.
type CallType string

// The steps. CallGroupUpdate tells that the people in a group's call changed.
const (
	CallOffer       CallType = "offer"
	CallAnswer      CallType = "answer"
	CallICE         CallType = "ice"
	CallBusy        CallType = "busy"
	CallHangup      CallType = "hangup"
	CallOpaque      CallType = "opaque"
	CallGroupUpdate CallType = "groupUpdate"
)

// Call is a step of a call. The calling library's own bytes are opaque here.
type Call struct {
	Type CallType
	// ID is the call's; 0 for opaque steps and for groups.
	ID uint64
	// Video is set for the offer of a video call.
	Video bool
	// Hangup is normal, accepted, declined, busy or needPermission; HangupDevice the device that it is about.
	Hangup       string
	HangupDevice uint32
	// Device is the one it is meant for; 0 for all.
	Device uint32
	// Urgent asks to ring at once.
	Urgent bool
	// EraID names a group's call; empty when it is over.
	EraID  string
	Opaque [][]byte
}

func (p *parser) callMessage(c *servicepb.CallMessage) (Event, error) {
	call := &Call{Device: c.GetDestinationDeviceId()}
	switch {
	case c.Offer != nil:
		call.Type, call.ID, call.Opaque = CallOffer, c.GetOffer().GetId(), opaque(c.GetOffer().GetOpaque())
		call.Video = c.GetOffer().GetType() == servicepb.CallMessage_Offer_OFFER_VIDEO_CALL
	case c.Answer != nil:
		call.Type, call.ID, call.Opaque = CallAnswer, c.GetAnswer().GetId(), opaque(c.GetAnswer().GetOpaque())
	case len(c.IceUpdate) > 0:
		call.Type, call.ID = CallICE, c.GetIceUpdate()[0].GetId()
		for _, ice := range c.GetIceUpdate() {
			call.Opaque = append(call.Opaque, ice.GetOpaque())
		}
	case c.Hangup != nil:
		call.Type, call.ID = CallHangup, c.GetHangup().GetId()
		call.Hangup, call.HangupDevice = hangups[c.GetHangup().GetType()], c.GetHangup().GetDeviceId()
	case c.Busy != nil:
		call.Type, call.ID = CallBusy, c.GetBusy().GetId()
	case c.Opaque != nil:
		call.Type, call.Opaque = CallOpaque, opaque(c.GetOpaque().GetData())
		call.Urgent = c.GetOpaque().GetUrgency() == servicepb.CallMessage_Opaque_HANDLE_IMMEDIATELY
	default:
		return Event{Kind: KindUnknown}, nil
	}
	return Event{Kind: KindCall, Call: call}, nil
}

func opaque(b []byte) [][]byte {
	if len(b) == 0 {
		return nil
	}
	return [][]byte{b}
}

var hangups = map[servicepb.CallMessage_Hangup_Type]string{
	servicepb.CallMessage_Hangup_HANGUP_NORMAL:          "normal",
	servicepb.CallMessage_Hangup_HANGUP_ACCEPTED:        "accepted",
	servicepb.CallMessage_Hangup_HANGUP_DECLINED:        "declined",
	servicepb.CallMessage_Hangup_HANGUP_BUSY:            "busy",
	servicepb.CallMessage_Hangup_HANGUP_NEED_PERMISSION: "needPermission",
}
