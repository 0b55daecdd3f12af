package content

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

func sentOf(s *servicepb.SyncMessage_Sent) *servicepb.Content {
	s.Timestamp = proto.Uint64(now)
	return syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Sent_{Sent: s}})
}

func syncCases(t *testing.T) map[string]*servicepb.Content {
	photo := attachment("contacts")
	text := &servicepb.DataMessage{Timestamp: proto.Uint64(now), Body: proto.String("sent"), ProfileKey: filled(32, 7)}
	cases := map[string]*servicepb.Content{
		"sync-sent": sentOf(&servicepb.SyncMessage_Sent{
			DestinationServiceId: proto.String(bob.String()), DestinationE164: proto.String("+15550001"), Message: text,
			ExpirationStartTimestamp: proto.Uint64(now),
			UnidentifiedStatus: []*servicepb.SyncMessage_Sent_UnidentifiedDeliveryStatus{
				{DestinationServiceId: proto.String(bob.String()), Unidentified: proto.Bool(true)},
				{DestinationServiceIdBinary: pni.Binary(), DestinationPniIdentityKey: filled(33, 5)},
				{DestinationServiceId: proto.String("nobody")},
			},
		}),
		"sync-sent-binary": sentOf(&servicepb.SyncMessage_Sent{DestinationServiceIdBinary: pni.Binary(), Message: text}),
		"sync-sent-group": sentOf(&servicepb.SyncMessage_Sent{Message: &servicepb.DataMessage{
			Timestamp: proto.Uint64(now), Body: proto.String("all"), GroupV2: &servicepb.GroupContextV2{MasterKey: filled(32, 9)},
		}}),
		"sync-sent-reaction": sentOf(&servicepb.SyncMessage_Sent{
			DestinationServiceIdBinary: bob.Binary(), Message: &servicepb.DataMessage{
				Timestamp: proto.Uint64(now), Reaction: &servicepb.DataMessage_Reaction{
					Emoji: proto.String("❤️"), TargetAuthorAciBinary: bob.Binary(), TargetSentTimestamp: proto.Uint64(5),
				},
			},
		}),
		"sync-sent-edit": sentOf(&servicepb.SyncMessage_Sent{
			DestinationServiceIdBinary: bob.Binary(),
			EditMessage:                &servicepb.EditMessage{TargetSentTimestamp: proto.Uint64(5), DataMessage: text},
		}),
		"sync-sent-story": sentOf(&servicepb.SyncMessage_Sent{
			StoryMessage: &servicepb.StoryMessage{Attachment: &servicepb.StoryMessage_FileAttachment{
				FileAttachment: photo.Pointer(),
			}},
		}),
		"sync-sent-story-recipients": sentOf(&servicepb.SyncMessage_Sent{
			IsRecipientUpdate: proto.Bool(true),
			StoryMessageRecipients: []*servicepb.SyncMessage_Sent_StoryMessageRecipient{
				{DestinationServiceIdBinary: bob.Binary()},
			},
		}),
		"sync-sent-nowhere": sentOf(&servicepb.SyncMessage_Sent{Message: text}),
		"sync-sent-nothing": sentOf(&servicepb.SyncMessage_Sent{DestinationServiceIdBinary: bob.Binary()}),
		"sync-sent-other-time": syncOf(&servicepb.SyncMessage{Content: &servicepb.SyncMessage_Sent_{
			Sent: &servicepb.SyncMessage_Sent{
				Timestamp: proto.Uint64(1), DestinationServiceIdBinary: bob.Binary(), Message: text,
			},
		}}),
		"sync-read": syncOf(&servicepb.SyncMessage{Read: []*servicepb.SyncMessage_Read{
			{SenderAci: proto.String(bob.String()), Timestamp: proto.Uint64(1)},
			{SenderAciBinary: alice.Binary(), Timestamp: proto.Uint64(2)}, {Timestamp: proto.Uint64(3)},
		}}),
		"sync-viewed": syncOf(&servicepb.SyncMessage{Viewed: []*servicepb.SyncMessage_Viewed{
			{SenderAciBinary: alice.Binary(), Timestamp: proto.Uint64(2)},
		}}),
		"sync-sticker-packs": syncOf(&servicepb.SyncMessage{
			StickerPackOperation: []*servicepb.SyncMessage_StickerPackOperation{{
				PackId: filled(16, 1), PackKey: filled(32, 1), Type: servicepb.SyncMessage_StickerPackOperation_REMOVE.Enum(),
			}},
		}),
		"sync-unknown": syncOf(&servicepb.SyncMessage{Padding: []byte("x")}),
	}
	for name, m := range syncContents(photo) {
		cases["sync-"+name] = syncOf(m)
	}
	return cases
}

func syncContents(photo Attachment) map[string]*servicepb.SyncMessage {
	thread := &servicepb.ConversationIdentifier{
		Identifier: &servicepb.ConversationIdentifier_ThreadServiceIdBinary{ThreadServiceIdBinary: bob.Binary()},
	}
	message := &servicepb.AddressableMessage{
		Author:        &servicepb.AddressableMessage_AuthorServiceId{AuthorServiceId: alice.String()},
		SentTimestamp: proto.Uint64(8),
	}
	return map[string]*servicepb.SyncMessage{
		"view-once-open": {Content: &servicepb.SyncMessage_ViewOnceOpen_{ViewOnceOpen: &servicepb.SyncMessage_ViewOnceOpen{
			SenderAci: proto.String(bob.String()), Timestamp: proto.Uint64(4),
		}}},
		"fetch-latest": {Content: &servicepb.SyncMessage_FetchLatest_{FetchLatest: &servicepb.SyncMessage_FetchLatest{
			Type: servicepb.SyncMessage_FetchLatest_STORAGE_MANIFEST.Enum(),
		}}},
		"contacts": {Content: &servicepb.SyncMessage_Contacts_{Contacts: &servicepb.SyncMessage_Contacts{
			Blob: photo.Pointer(), Complete: proto.Bool(true),
		}}},
		"blocked": {Content: &servicepb.SyncMessage_Blocked_{Blocked: &servicepb.SyncMessage_Blocked{
			Numbers: []string{"+15550002"}, Acis: []string{alice.String(), bob.String(), "nobody"},
			AcisBinary: [][]byte{bob.Binary()}, GroupIds: [][]byte{filled(32, 8)},
		}}},
		"configuration": {Content: &servicepb.SyncMessage_Configuration_{
			Configuration: &servicepb.SyncMessage_Configuration{
				ReadReceipts: proto.Bool(true), TypingIndicators: proto.Bool(false),
			},
		}},
		"keys": {Content: &servicepb.SyncMessage_Keys_{Keys: &servicepb.SyncMessage_Keys{
			Master: filled(32, 6), AccountEntropyPool: proto.String("pool"),
		}}},
		"request": {Content: &servicepb.SyncMessage_Request_{Request: &servicepb.SyncMessage_Request{
			Type: servicepb.SyncMessage_Request_BLOCKED.Enum(),
		}}},
		"message-request": {Content: &servicepb.SyncMessage_MessageRequestResponse_{
			MessageRequestResponse: &servicepb.SyncMessage_MessageRequestResponse{
				ThreadAci: proto.String(bob.String()), Type: servicepb.SyncMessage_MessageRequestResponse_BLOCK_AND_SPAM.Enum(),
			},
		}},
		"verified": {Content: &servicepb.SyncMessage_Verified{Verified: &servicepb.Verified{
			DestinationAciBinary: bob.Binary(), IdentityKey: filled(33, 5), State: servicepb.Verified_VERIFIED.Enum(),
		}}},
		"call-event": {Content: &servicepb.SyncMessage_CallEvent_{CallEvent: &servicepb.SyncMessage_CallEvent{
			CallId: proto.Uint64(7), Timestamp: proto.Uint64(8), ConversationId: bob.Binary(),
			Type:      servicepb.SyncMessage_CallEvent_VIDEO_CALL.Enum(),
			Direction: servicepb.SyncMessage_CallEvent_INCOMING.Enum(), Event: servicepb.SyncMessage_CallEvent_ACCEPTED.Enum(),
		}}},
		"call-log":  {Content: &servicepb.SyncMessage_CallLogEvent_{CallLogEvent: &servicepb.SyncMessage_CallLogEvent{}}},
		"call-link": {Content: &servicepb.SyncMessage_CallLinkUpdate_{CallLinkUpdate: &servicepb.SyncMessage_CallLinkUpdate{}}},
		"payment": {Content: &servicepb.SyncMessage_OutgoingPayment_{
			OutgoingPayment: &servicepb.SyncMessage_OutgoingPayment{},
		}},
		"pni-change": {Content: &servicepb.SyncMessage_PniChangeNumber_{PniChangeNumber: &servicepb.SyncMessage_PniChangeNumber{
			IdentityKeyPair: []byte("pair"), SignedPreKey: []byte("signed"), LastResortKyberPreKey: []byte("kyber"),
			RegistrationId: proto.Uint32(9), NewE164: proto.String("+15550003"),
		}}},
		"device-name": {Content: &servicepb.SyncMessage_DeviceNameChange_{
			DeviceNameChange: &servicepb.SyncMessage_DeviceNameChange{DeviceId: proto.Uint32(3)},
		}},
		"username": {Content: &servicepb.SyncMessage_UsernameChange_{UsernameChange: &servicepb.SyncMessage_UsernameChange{}}},
		"backfill": {Content: &servicepb.SyncMessage_AttachmentBackfillRequest_{
			AttachmentBackfillRequest: &servicepb.SyncMessage_AttachmentBackfillRequest{},
		}},
		"delete-for-me": {Content: &servicepb.SyncMessage_DeleteForMe_{DeleteForMe: &servicepb.SyncMessage_DeleteForMe{
			MessageDeletes: []*servicepb.SyncMessage_DeleteForMe_MessageDeletes{
				{Conversation: thread, Messages: []*servicepb.AddressableMessage{message}},
			},
			AttachmentDeletes: []*servicepb.SyncMessage_DeleteForMe_AttachmentDelete{
				{Conversation: thread, TargetMessage: message, ClientUuid: filled(16, 1)},
			},
			ConversationDeletes: []*servicepb.SyncMessage_DeleteForMe_ConversationDelete{
				{Conversation: thread, MostRecentMessages: []*servicepb.AddressableMessage{message}, IsFullDelete: proto.Bool(true)},
			},
			LocalOnlyConversationDeletes: []*servicepb.SyncMessage_DeleteForMe_LocalOnlyConversationDelete{{Conversation: thread}},
		}}},
	}
}
