package content

import "signalbox/signalcore/protocol/serviceid"

// SyncType says what one of the account's devices tells the others, and so which field of Sync is set.
type SyncType string

// What devices tell each other.
const (
	SyncSent           SyncType = "sent"
	SyncRead           SyncType = "read"
	SyncViewed         SyncType = "viewed"
	SyncViewOnceOpen   SyncType = "viewOnceOpen"
	SyncFetchLatest    SyncType = "fetchLatest"
	SyncContacts       SyncType = "contacts"
	SyncBlocked        SyncType = "blocked"
	SyncConfiguration  SyncType = "configuration"
	SyncKeys           SyncType = "keys"
	SyncRequest        SyncType = "request"
	SyncDeleteForMe    SyncType = "deleteForMe"
	SyncStickerPacks   SyncType = "stickerPacks"
	SyncMessageRequest SyncType = "messageRequestResponse"
	SyncVerified       SyncType = "verified"
	SyncCallEvent      SyncType = "callEvent"
	SyncCallLog        SyncType = "callLog"
	SyncCallLink       SyncType = "callLink"
	SyncPayment        SyncType = "outgoingPayment"
	SyncPNIChange      SyncType = "pniChangeNumber"
	SyncDeviceName     SyncType = "deviceNameChange"
	SyncUsername       SyncType = "usernameChange"
	SyncBackfill       SyncType = "attachmentBackfill"
)

// internal reports whether the daemon alone has use for it.
func (t SyncType) internal() bool {
	switch t {
	case SyncFetchLatest, SyncContacts, SyncBlocked, SyncConfiguration, SyncKeys, SyncRequest, SyncPNIChange, SyncDeviceName,
		SyncUsername, SyncBackfill:
		return true
	}
	return false
}

// Sync is a message from another device of this account. The field that Type names is set; types without a field
// carry nothing that this program uses.
type Sync struct {
	Type SyncType

	Sent           *Sent
	Read           []MessageRef
	Viewed         []MessageRef
	ViewOnceOpen   *MessageRef
	FetchLatest    FetchLatest
	Contacts       *ContactsSync
	Blocked        *Blocked
	Configuration  *Configuration
	Keys           *Keys
	Request        RequestType
	DeleteForMe    *DeleteForMe
	StickerPacks   []StickerPackChange
	MessageRequest *MessageRequest
	Verified       *Verified
	CallEvent      *CallEvent
	PNIChange      *PNIChange
	// DeviceName is the number of the device whose name changed.
	DeviceName uint32
}

// Sent is what another device of this account has sent.
type Sent struct {
	// Destination is zero for a group, and for a story; DestinationNumber is often empty.
	Destination       serviceid.ServiceID
	DestinationNumber string
	// Event is what was sent.
	Event Event
	// ExpirationStart in milliseconds is when its timer began to run; 0 where there is none.
	ExpirationStart uint64
	Recipients      []SentRecipient
	// Update is set where only Recipients are news.
	Update bool
}

// SentRecipient says how a message went to one of its recipients.
type SentRecipient struct {
	ServiceID serviceid.ServiceID
	Sealed    bool
	// PNIIdentityKey comes with a recipient that is a PNI.
	PNIIdentityKey []byte
}

// FetchLatest says what changed at the service.
type FetchLatest string

// What to fetch again.
const (
	FetchProfile      FetchLatest = "localProfile"
	FetchStorage      FetchLatest = "storageManifest"
	FetchSubscription FetchLatest = "subscriptionStatus"
)

// ContactsSync points to a stream of contacts, for ReadContacts.
type ContactsSync struct {
	Attachment Attachment
	// Complete is set where contacts that are not in the stream are gone.
	Complete bool
}

// Blocked is the whole list of those whom this account does not want to hear.
type Blocked struct {
	Numbers []string
	ACIs    []serviceid.ServiceID
	Groups  [][]byte
}

// Configuration holds settings of the account; nil where the primary says nothing.
type Configuration struct {
	ReadReceipts, SealedSenderIndicators, TypingIndicators, LinkPreviews *bool
}

// Keys are the account's secrets, from which the key of the storage service derives. Older primaries send MasterKey.
type Keys struct {
	AccountEntropyPool string
	MasterKey          []byte
	StorageKey         []byte
	MediaRootBackupKey []byte
}

// RequestType is what a device asks its primary for.
type RequestType string

// What can be asked for.
const (
	RequestContacts      RequestType = "contacts"
	RequestBlocked       RequestType = "blocked"
	RequestConfiguration RequestType = "configuration"
	RequestKeys          RequestType = "keys"
)

// DeleteForMe lists what was removed on this account's devices only.
type DeleteForMe struct {
	Messages      []DeletedMessages
	Attachments   []DeletedAttachment
	Conversations []DeletedConversation
}

// Conversation names a conversation: one of the three is set.
type Conversation struct {
	ServiceID serviceid.ServiceID
	Number    string
	GroupID   []byte
}

// AddressedMessage is a MessageRef whose author may be known by number only.
type AddressedMessage struct {
	MessageRef
	Number string
}

// DeletedMessages are messages of one conversation.
type DeletedMessages struct {
	Conversation Conversation
	Messages     []AddressedMessage
}

// DeletedAttachment is one attachment of a message, named by its client UUID or, failing that, by a digest.
type DeletedAttachment struct {
	Conversation                      Conversation
	Message                           AddressedMessage
	ClientUUID, Digest, PlaintextHash []byte
}

// DeletedConversation is a conversation up to MostRecent. LocalOnly has no messages to sync.
type DeletedConversation struct {
	Conversation    Conversation
	MostRecent      []AddressedMessage
	Full, LocalOnly bool
}

// StickerPackChange is a sticker pack installed or removed.
type StickerPackChange struct {
	PackID, PackKey []byte
	Remove          bool
}

// MessageRequest is the answer to a stranger's first message. Response is accept, delete, block, blockAndDelete, spam,
// blockAndSpam or empty.
type MessageRequest struct {
	Conversation Conversation
	Response     string
}

// Verified is the trust in an identity key. State is default, verified or unverified.
type Verified struct {
	ACI         serviceid.ServiceID
	IdentityKey []byte
	State       string
}

// CallEvent is what another device did with a call.
type CallEvent struct {
	CallID, Timestamp      uint64
	ConversationID         []byte
	Type, Direction, Event string
}

// PNIChange holds the keys of the PNI after a change of number, serialised by the protocol library.
type PNIChange struct {
	IdentityKeyPair, SignedPreKey, LastResortKyberPreKey []byte
	RegistrationID                                       uint32
	Number                                               string
}
