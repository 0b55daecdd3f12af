package commands

import (
	"time"

	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

func sendingCommands() []*command {
	return []*command{
		define("send_receipt", "Tells the sender of messages that they were read or viewed.", runSendReceipt),
		define("send_typing", "Shows the typing indicator to the recipient for some seconds, or hides it.", runSendTyping),
		define("set_expiration", "Sets the timer after which messages disappear, of a conversation or a group.",
			runSetExpiration),
		define("get_outgoing", "Tells what became of messages that were sent or queued: by timestamp, by "+
			"idempotencyKey, or the newest.", runGetOutgoing),
	}
}

// Durable are the fields of a sending command that make it survive: docs/socket-protocol.md, section 4.
type Durable struct {
	IdempotencyKey *string `json:"idempotencyKey,omitempty" jsonschema:"minLength=1,maxLength=128,description=a repeat with the same key within 24 hours sends nothing twice"`
	Queue          *Queue  `json:"queue,omitempty" jsonschema:"description=keep it on disk when the service cannot be reached now"`
}

// Queue says how long a send may wait for the service.
type Queue struct {
	TTLSeconds int64 `json:"ttlSeconds" jsonschema:"required,minimum=1,maximum=2592000,description=for how long"`
}

const (
	maxKeyLength = 128
	maxQueueTTL  = 30 * 24 * time.Hour
)

func (d Durable) options(c *call) (model.SendOptions, error) {
	var out model.SendOptions
	if d.IdempotencyKey != nil {
		out.IdempotencyKey = *d.IdempotencyKey
		if n := len([]rune(out.IdempotencyKey)); n == 0 || n > maxKeyLength {
			return out, badArgument("idempotencyKey", "must have 1 to %d characters", maxKeyLength)
		}
		var err error
		if out.Fingerprint, err = fingerprint(c.value); err != nil {
			return out, err
		}
	}
	if d.Queue != nil {
		out.Queue, out.QueueTTL = true, time.Duration(d.Queue.TTLSeconds)*time.Second
		if d.Queue.TTLSeconds < 1 || d.Queue.TTLSeconds > int64(maxQueueTTL/time.Second) {
			return out, badArgument("queue.ttlSeconds", "must be 1 to %d", int64(maxQueueTTL/time.Second))
		}
	}
	return out, nil
}

// SendReply is the reply of the sending commands.
type SendReply struct {
	Timestamp uint64        `json:"timestamp" jsonschema:"description=the message's identifier\\, in milliseconds since 1970"`
	Failures  []SendFailure `json:"failures,omitempty" jsonschema:"description=the recipients that were not reached"`
	Repeated  bool          `json:"repeated,omitempty" jsonschema:"description=this is the reply to an earlier request with the same idempotencyKey"`
	Queued    bool          `json:"queued,omitempty" jsonschema:"description=it is kept until the service can be reached"`
}

// SendFailure is a recipient that was not reached.
type SendFailure struct {
	Recipient    string `json:"recipient" jsonschema:"description=as in the request"`
	StatusCode   int    `json:"statusCode" jsonschema:"description=why"`
	ErrorMessage string `json:"errorMessage" jsonschema:"description=the same\\, for people"`
}

func sendReply(result model.SendResult, err error) (*SendReply, error) {
	if err != nil {
		return nil, err
	}
	return &SendReply{
		Timestamp: result.Timestamp, Failures: failuresReply(result.Failures), Repeated: result.Repeated,
		Queued: result.Queued,
	}, nil
}

func failuresReply(failures []model.SendFailure) []SendFailure {
	var out []SendFailure
	for _, f := range failures {
		out = append(out, SendFailure{
			Recipient: f.Recipient.Text, StatusCode: int(statuscodes.Of(f.Err)), ErrorMessage: sentence(f.Err),
		})
	}
	return out
}

// SendReceiptRequest is the request of send_receipt.
type SendReceiptRequest struct {
	Recipient  string   `json:"recipient" jsonschema:"required,description=who sent the messages"`
	Type       string   `json:"type,omitempty" jsonschema:"enum=read,enum=viewed,default=read"`
	Timestamps []uint64 `json:"timestamps,omitempty" jsonschema:"description=which messages"`
	Timestamp  uint64   `json:"timestamp,omitempty" jsonschema:"description=which message\\, in place of timestamps"`
	Durable
}

const maxReceiptTimestamps = 1000

func runSendReceipt(c *call, request *SendReceiptRequest) (*SendReply, error) {
	recipient, err := oneRecipient("recipient", request.Recipient)
	if err != nil {
		return nil, err
	}
	timestamps := request.Timestamps
	if request.Timestamp != 0 {
		timestamps = append(timestamps, request.Timestamp)
	}
	switch {
	case len(timestamps) == 0 || len(timestamps) > maxReceiptTimestamps:
		return nil, badArgument("timestamps", "must be 1 to %d", maxReceiptTimestamps)
	case request.Type != "" && request.Type != "read" && request.Type != "viewed":
		return nil, badArgument("type", "must be read or viewed")
	}
	options, err := request.options(c)
	if err != nil {
		return nil, err
	}
	return sendReply(c.signal.SendReceipt(c, model.ReceiptRequest{
		To: recipient, Viewed: request.Type == "viewed", Timestamps: timestamps, SendOptions: options,
	}))
}

func oneRecipient(field, text string) (model.Recipient, error) {
	if text == "" {
		return model.Recipient{}, badField(statuscodes.InvalidRecipient, field, "is missing")
	}
	return parseRecipient(field, text)
}

// SendTypingRequest is the request of send_typing.
type SendTypingRequest struct {
	Target
	Stop bool `json:"stop,omitempty" jsonschema:"description=hide it again"`
}

func runSendTyping(c *call, request *SendTypingRequest) (*None, error) {
	to, err := request.destination()
	if err != nil {
		return nil, err
	}
	return nil, c.signal.SendTyping(c, model.TypingRequest{To: to, Stopped: request.Stop})
}

// GetOutgoingRequest is the request of get_outgoing.
type GetOutgoingRequest struct {
	Timestamp      uint64 `json:"timestamp,omitempty" jsonschema:"description=of one message"`
	IdempotencyKey string `json:"idempotencyKey,omitempty" jsonschema:"description=of one message"`
	Limit          *int   `json:"limit,omitempty" jsonschema:"minimum=1,maximum=1000,default=100,description=how many of the newest\\, where neither is given"`
}

// GetOutgoingReply is the reply of get_outgoing.
type GetOutgoingReply struct {
	Messages []Outgoing `json:"messages" jsonschema:"description=the newest first"`
}

// Outgoing is a message that was sent or queued.
type Outgoing struct {
	Timestamp      uint64              `json:"timestamp" jsonschema:"description=the message's identifier"`
	IdempotencyKey string              `json:"idempotencyKey,omitempty" jsonschema:"description=that it was sent with"`
	State          model.OutgoingState `json:"state" jsonschema:"enum=queued,enum=sending,enum=sent,enum=failed,enum=expired,enum=unknown"`
	QueuedAt       int64               `json:"queuedAt,omitempty" jsonschema:"description=when it was queued\\, in milliseconds since 1970"`
	FinishedAt     int64               `json:"finishedAt,omitempty" jsonschema:"description=when its outcome was known"`
	Failures       []SendFailure       `json:"failures,omitempty" jsonschema:"description=the recipients that were not reached"`
	StatusCode     int                 `json:"statusCode" jsonschema:"description=of the outcome"`
	ErrorMessage   string              `json:"errorMessage,omitempty" jsonschema:"description=why it failed"`
}

const (
	defaultOutgoing = 100
	maxOutgoing     = 1000
)

func runGetOutgoing(c *call, request *GetOutgoingRequest) (*GetOutgoingReply, error) {
	limit := defaultOutgoing
	if request.Limit != nil {
		limit = *request.Limit
	}
	if limit < 1 || limit > maxOutgoing {
		return nil, badArgument("limit", "must be 1 to %d", maxOutgoing)
	}
	found, err := c.signal.Outgoing(c, model.OutgoingQuery{
		Timestamp: request.Timestamp, IdempotencyKey: request.IdempotencyKey, Limit: limit,
	})
	if err != nil {
		return nil, err
	}
	out := &GetOutgoingReply{Messages: make([]Outgoing, len(found))}
	for i, o := range found {
		out.Messages[i] = outgoingReply(o)
	}
	return out, nil
}

func outgoingReply(o model.Outgoing) Outgoing {
	out := Outgoing{
		Timestamp: o.Timestamp, IdempotencyKey: o.IdempotencyKey, State: o.State, QueuedAt: millis(o.Queued),
		FinishedAt: millis(o.Finished), StatusCode: o.StatusCode, ErrorMessage: o.ErrorMessage,
	}
	for _, f := range o.Failures {
		out.Failures = append(out.Failures, SendFailure(f))
	}
	return out
}
