package render

import "signalbox/signalcore/model"

// Attachment is a file that came with a message.
type Attachment struct {
	Base64Data   model.Blob `json:"base64Data,omitzero" jsonschema:"description=the file"`
	Filename     string     `json:"filename,omitempty" jsonschema:"description=as the sender named it"`
	ID           string     `json:"id,omitempty" jsonschema:"description=for get_attachment"`
	ContentType  string     `json:"contentType,omitempty" jsonschema:"description=as the sender named it"`
	Size         int64      `json:"size" jsonschema:"description=in bytes"`
	Width        uint32     `json:"width,omitempty"`
	Height       uint32     `json:"height,omitempty"`
	Caption      string     `json:"caption,omitempty"`
	VoiceNote    bool       `json:"voiceNote,omitempty"`
	Borderless   bool       `json:"borderless,omitempty"`
	BlurHash     string     `json:"blurHash,omitempty"`
	ErrorMessage string     `json:"errorMessage,omitempty" jsonschema:"description=why there is no base64Data"`
}

// Quote is the message that is answered.
type Quote struct {
	Author      string             `json:"author" jsonschema:"description=number or ACI"`
	AuthorUUID  string             `json:"authorUuid"`
	AuthorName  string             `json:"authorName,omitempty"`
	Timestamp   uint64             `json:"timestamp"`
	Text        string             `json:"text"`
	Type        string             `json:"type,omitempty" jsonschema:"enum=giftBadge,enum=poll"`
	Attachments []QuotedAttachment `json:"attachments,omitempty"`
	Mentions    []Mention          `json:"mentions,omitempty"`
	TextStyles  []TextStyle        `json:"textStyles,omitempty"`
}

// QuotedAttachment is an attachment of the message that is answered.
type QuotedAttachment struct {
	ContentType string      `json:"contentType,omitempty"`
	Filename    string      `json:"filename,omitempty"`
	Thumbnail   *Attachment `json:"thumbnail,omitempty"`
}

// Mention is a person in place of a part of the text, in UTF-16 units.
type Mention struct {
	Start     uint32 `json:"start"`
	Length    uint32 `json:"length"`
	Recipient string `json:"recipient" jsonschema:"description=number or ACI"`
	UUID      string `json:"uuid"`
	Name      string `json:"name,omitempty"`
}

// TextStyle is the look of a part of the text, in UTF-16 units.
type TextStyle struct {
	Start  uint32 `json:"start"`
	Length uint32 `json:"length"`
	Style  string `json:"style" jsonschema:"enum=bold,enum=italic,enum=spoiler,enum=strikethrough,enum=monospace"`
}

// Preview is the card of a link in the text.
type Preview struct {
	URL         string      `json:"url"`
	Title       string      `json:"title,omitempty"`
	Description string      `json:"description,omitempty"`
	Date        uint64      `json:"date,omitempty"`
	Image       *Attachment `json:"image,omitempty"`
}

// Sticker is a sticker of a pack.
type Sticker struct {
	PackID    string      `json:"packId" jsonschema:"description=hex"`
	PackKey   []byte      `json:"packKey"`
	StickerID uint32      `json:"stickerId"`
	Emoji     string      `json:"emoji,omitempty"`
	Image     *Attachment `json:"image,omitempty"`
}

// Contact is a person's address card.
type Contact struct {
	Name         ContactName      `json:"name"`
	Phones       []ContactEntry   `json:"phones,omitempty"`
	Emails       []ContactEntry   `json:"emails,omitempty"`
	Addresses    []ContactAddress `json:"addresses,omitempty"`
	Organization string           `json:"organization,omitempty"`
	Avatar       *Attachment      `json:"avatar,omitempty"`
}

// ContactName is the name on a card.
type ContactName struct {
	Given    string `json:"given,omitempty"`
	Family   string `json:"family,omitempty"`
	Prefix   string `json:"prefix,omitempty"`
	Suffix   string `json:"suffix,omitempty"`
	Middle   string `json:"middle,omitempty"`
	Nickname string `json:"nickname,omitempty"`
}

// ContactEntry is a number or an e-mail address on a card.
type ContactEntry struct {
	Value string `json:"value"`
	Type  string `json:"type,omitempty" jsonschema:"enum=home,enum=mobile,enum=work,enum=custom"`
	Label string `json:"label,omitempty"`
}

// ContactAddress is a postal address on a card.
type ContactAddress struct {
	Type         string `json:"type,omitempty" jsonschema:"enum=home,enum=work,enum=custom"`
	Label        string `json:"label,omitempty"`
	Street       string `json:"street,omitempty"`
	POBox        string `json:"poBox,omitempty"`
	Neighborhood string `json:"neighborhood,omitempty"`
	City         string `json:"city,omitempty"`
	Region       string `json:"region,omitempty"`
	Postcode     string `json:"postcode,omitempty"`
	Country      string `json:"country,omitempty"`
}

// Reaction is an emoji on a message.
type Reaction struct {
	Emoji      string `json:"emoji"`
	Author     string `json:"author" jsonschema:"description=who wrote the message: number or ACI"`
	AuthorUUID string `json:"authorUuid"`
	Remove     bool   `json:"remove"`
	Timestamp  uint64 `json:"timestamp" jsonschema:"description=the message's timestamp"`
}

// Edit says which message this one replaces.
type Edit struct {
	Timestamp uint64 `json:"timestamp" jsonschema:"description=of the message that is replaced"`
}

// Delete says which message is deleted; an administrator may delete another's.
type Delete struct {
	Timestamp  uint64 `json:"timestamp" jsonschema:"description=of the message that is taken back"`
	Author     string `json:"author,omitempty"`
	AuthorUUID string `json:"authorUuid,omitempty"`
}

// Receipt says what became of messages of this account.
type Receipt struct {
	Type       string   `json:"type" jsonschema:"enum=delivery,enum=read,enum=viewed"`
	Timestamps []uint64 `json:"timestamps" jsonschema:"description=of the messages that it is about"`
}

// Typing is the typing indicator.
type Typing struct {
	Action string `json:"action" jsonschema:"enum=started,enum=stopped"`
}

// Call is a step of a call.
type Call struct {
	Type         string `json:"type" jsonschema:"enum=offer,enum=answer,enum=ice,enum=busy,enum=hangup,enum=opaque,enum=groupUpdate"`
	CallID       string `json:"callId,omitempty"`
	Video        bool   `json:"video,omitempty"`
	Hangup       string `json:"hangup,omitempty" jsonschema:"enum=normal,enum=accepted,enum=declined,enum=busy,enum=needPermission"`
	HangupDevice uint32 `json:"hangupDevice,omitempty"`
	Device       uint32 `json:"device,omitempty" jsonschema:"description=which device it is meant for"`
	EraID        string `json:"eraId,omitempty"`
}

// GroupChange says what changed in a group.
type GroupChange struct {
	Kind     model.GroupChangeKind `json:"kind" jsonschema:"description=what was done; see docs/socket-protocol.md"`
	Revision uint32                `json:"revision" jsonschema:"description=of the group\\, after the change"`
	Editor   *Person               `json:"editor,omitempty" jsonschema:"description=who did it\\, where that is known"`
	Affected []Person              `json:"affected" jsonschema:"description=to whom it was done"`
	Before   string                `json:"before,omitempty" jsonschema:"description=see docs/socket-protocol.md"`
	After    string                `json:"after,omitempty" jsonschema:"description=see docs/socket-protocol.md"`
	Text     string                `json:"text" jsonschema:"description=the change in one line of English"`
}

// Person is somebody in a group. One whose identifier cannot be read has none of the fields.
type Person struct {
	Recipient string `json:"recipient,omitempty" jsonschema:"description=number or\\, where it is not known\\, service id"`
	UUID      string `json:"uuid,omitempty" jsonschema:"description=ACI or PNI"`
	Name      string `json:"name,omitempty" jsonschema:"description=where it is known"`
	Self      bool   `json:"self,omitempty" jsonschema:"description=this account"`
}

// Story is a story; its picture or film is in attachments, its text in body.
type Story struct {
	AllowsReplies bool `json:"allowsReplies"`
}

// Ref names a message.
type Ref struct {
	Author     string `json:"author,omitempty" jsonschema:"description=number or ACI"`
	AuthorUUID string `json:"authorUuid,omitempty"`
	Timestamp  uint64 `json:"timestamp"`
}

// Poll is a question with answers to choose from.
type Poll struct {
	Question string   `json:"question"`
	Options  []string `json:"options"`
	Multiple bool     `json:"multiple"`
}

// PollVote is a choice in a poll: indexes into its options.
type PollVote struct {
	Ref
	Options []uint32 `json:"options"`
	Count   uint32   `json:"count"`
}

// Pin pins a message, for ever where there are no seconds.
type Pin struct {
	Ref
	Seconds uint32 `json:"seconds,omitempty"`
}

// Payment tells of a payment.
type Payment struct {
	Type string `json:"type" jsonschema:"enum=notification,enum=activationRequest,enum=activated"`
	Note string `json:"note,omitempty"`
}

// Sync is what another device of this account did. Keys are never shown.
type Sync struct {
	Type          string        `json:"type"`
	Sent          *Sent         `json:"sent,omitempty"`
	Messages      []Ref         `json:"messages,omitempty" jsonschema:"description=what was read\\, viewed or opened"`
	FetchLatest   string        `json:"fetchLatest,omitempty"`
	Request       string        `json:"request,omitempty"`
	Blocked       *Blocked      `json:"blocked,omitempty"`
	Deleted       *Deleted      `json:"deleted,omitempty"`
	Conversation  *Conversation `json:"conversation,omitempty"`
	Response      string        `json:"response,omitempty" jsonschema:"description=the answer to a message request"`
	Configuration *Settings     `json:"configuration,omitempty"`
	Verified      *Verified     `json:"verified,omitempty"`
	CallEvent     *CallEvent    `json:"callEvent,omitempty"`
	StickerPacks  []StickerPack `json:"stickerPacks,omitempty"`
	Device        uint32        `json:"device,omitempty"`
	Number        string        `json:"number,omitempty"`
}

// Sent is a message that another device has sent.
type Sent struct {
	Timestamp     uint64 `json:"timestamp"`
	Recipient     string `json:"recipient,omitempty" jsonschema:"description=number or service id"`
	RecipientUUID string `json:"recipientUuid,omitempty"`
	Head
	Type       model.MessageType `json:"type"`
	Recipients []SentRecipient   `json:"recipients,omitempty"`
	Rest
}

// SentRecipient says how the message went to one person.
type SentRecipient struct {
	Recipient string `json:"recipient"`
	UUID      string `json:"uuid"`
	Sealed    bool   `json:"sealed"`
}

// Blocked is the whole list of those who are blocked.
type Blocked struct {
	Numbers  []string `json:"numbers,omitempty"`
	UUIDs    []string `json:"uuids,omitempty"`
	GroupIDs [][]byte `json:"groupIds,omitempty"`
}

// Deleted is what was removed from this account's devices only.
type Deleted struct {
	Messages      []DeletedMessages `json:"messages,omitempty"`
	Attachments   []DeletedMessages `json:"attachments,omitempty"`
	Conversations []Conversation    `json:"conversations,omitempty"`
}

// DeletedMessages are messages of one conversation.
type DeletedMessages struct {
	Conversation
	Messages []Ref `json:"messages"`
}

// Conversation is with a person or a group.
type Conversation struct {
	Recipient     string `json:"recipient,omitempty"`
	RecipientUUID string `json:"recipientUuid,omitempty"`
	GroupID       []byte `json:"groupId,omitempty"`
}

// Settings are those of the account; absent where the primary says nothing.
type Settings struct {
	ReadReceipts           *bool `json:"readReceipts,omitempty"`
	SealedSenderIndicators *bool `json:"sealedSenderIndicators,omitempty"`
	TypingIndicators       *bool `json:"typingIndicators,omitempty"`
	LinkPreviews           *bool `json:"linkPreviews,omitempty"`
}

// Verified is the trust in a person's identity key.
type Verified struct {
	Recipient     string `json:"recipient"`
	RecipientUUID string `json:"recipientUuid"`
	State         string `json:"state" jsonschema:"enum=default,enum=verified,enum=unverified"`
}

// CallEvent is what another device did with a call.
type CallEvent struct {
	CallID    string `json:"callId"`
	Timestamp uint64 `json:"timestamp,omitempty"`
	Type      string `json:"type,omitempty"`
	Direction string `json:"direction,omitempty"`
	Event     string `json:"event,omitempty"`
}

// StickerPack is a sticker pack, installed or removed.
type StickerPack struct {
	PackID  string `json:"packId"`
	PackKey []byte `json:"packKey,omitempty"`
	Remove  bool   `json:"remove"`
}
