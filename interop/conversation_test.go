package interop

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A rig shared by the subtests of one version: each has a contact of its own, and is blind to the others' messages.
func TestConversation(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		r := NewRig(t, version, RigOptions{}, "alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan")
		run := func(name string, test func(t *testing.T, r *Rig)) {
			t.Run(name, func(t *testing.T) { test(t, r.on(t)) })
		}
		run("text both ways, they begin", theyBegin)
		run("text both ways, we begin", weBegin)
		run("unsealed where no access key is known", unsealed)
		run("identified when the access key is refused", accessKeyRefused)
		run("reactions", reactions)
		run("quotes and mentions", quotes)
		run("edits and deletes", editsAndDeletes)
		run("receipts", receipts)
		run("typing", typing)
		run("sent transcripts", transcripts)
		run("addressed to our PNI", toOurPNI)
		run("addressed to a contact's PNI", toTheirPNI)
		run("note to self", noteToSelf)
		run("long text", longText)
		run("view once, timers, voice notes", variety)
		run("what nobody knows yet", unknownContent)
		run("small attachments", smallAttachments)
	})
}

// on is the rig for a subtest: its failures are that test's.
func (r *Rig) on(t *testing.T) *Rig {
	mock := r.Mock.on(t)
	daemon := *r.Daemon
	daemon.t = t
	copied := &Rig{Mock: mock, T: t, Daemon: &daemon, Contacts: map[string]*Account{}}
	copied.Me = r.Me.on(mock)
	for name, contact := range r.Contacts {
		copied.Contacts[name] = contact.on(mock)
	}
	return copied
}

func (m *Mock) on(t *testing.T) *Mock {
	view := *m
	view.t = t
	return &view
}

func (a *Account) on(mock *Mock) *Account {
	copied := *a
	copied.mock = mock
	return &copied
}

func theyBegin(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	sent := alice.SendText(r.Me, "hello from alice", SendOptions{})
	got := c.ReceiveText("hello from alice")
	require.Equal(t, alice.Number, got.Sender)
	require.Equal(t, alice.ACI, got.SenderUUID)
	require.Equal(t, "alice", got.SenderName)
	require.Equal(t, 1, got.SenderDevice)
	require.Equal(t, sent.Timestamp, got.Timestamp)
	require.Equal(t, "message", got.Type)
	require.Zero(t, got.StatusCode)
	require.NotEmpty(t, got.ID)
	for i := range 5 {
		timestamp := c.SendText(alice.Number, fmt.Sprintf("reply %d", i))
		e := alice.AwaitText(fmt.Sprintf("reply %d", i))
		require.True(t, e.Sealed)
		require.Equal(t, "CipherText", e.Type, "the session that alice began is used")
		require.Equal(t, timestamp, e.Timestamp)
		require.Equal(t, timestamp, e.Content.DataMessage.Timestamp)
		require.Equal(t, r.Me.ACI, e.Source)
		require.Equal(t, r.Me.ProfileKey, e.Content.DataMessage.ProfileKey)
		alice.SendText(r.Me, fmt.Sprintf("again %d", i), SendOptions{})
		c.ReceiveText(fmt.Sprintf("again %d", i))
	}
}

func weBegin(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	c.SendText(bob.ACI, "first")
	require.Equal(t, "PreKey", bob.AwaitText("first").Type)
	c.SendText(bob.Number, "second, still unacknowledged")
	require.Equal(t, "PreKey", bob.AwaitText("second, still unacknowledged").Type)
	bob.SendText(r.Me, "got both", SendOptions{})
	c.ReceiveText("got both")
	c.SendText(bob.ACI, "third")
	e := bob.AwaitText("third")
	require.Equal(t, "CipherText", e.Type)
	require.True(t, e.Sealed)
}

func unsealed(t *testing.T, r *Rig) {
	stranger, c := r.NewAccount("stranger"), r.Daemon.Dial()
	stranger.SendData(r.Me, map[string]any{"body": "who am I", "withProfileKey": false}, SendOptions{Unsealed: true})
	got := c.ReceiveText("who am I")
	require.Equal(t, stranger.ACI, got.SenderUUID)
	c.SendText(stranger.ACI, "no idea")
	require.False(t, stranger.AwaitText("no idea").Sealed)
	stranger.SendData(r.Me, map[string]any{"body": "here is my key"}, SendOptions{Unsealed: true})
	c.ReceiveText("here is my key")
	c.SendText(stranger.ACI, "thanks")
	require.True(t, stranger.AwaitText("thanks").Sealed)
}

func accessKeyRefused(t *testing.T, r *Rig) {
	carol, c := r.Contact("carol"), r.Daemon.Dial()
	c.SendText(carol.ACI, "sealed")
	require.True(t, carol.AwaitText("sealed").Sealed)
	r.Call("newAccessKey", args{"account": "carol"}, nil)
	c.SendText(carol.ACI, "identified")
	require.False(t, carol.AwaitText("identified").Sealed)
}

func reactions(t *testing.T, r *Rig) {
	dave, c := r.Contact("dave"), r.Daemon.Dial()
	sent := dave.SendText(r.Me, "like it?", SendOptions{})
	c.ReceiveText("like it?")
	react := func(remove bool) {
		c.Must(Request{"command": "send_reaction", "recipient": dave.Number, "reaction": map[string]any{
			"emoji": "👍🏽", "author": dave.Number, "timestamp": sent.Timestamp, "remove": remove}})
		e := r.Await("the reaction", dave.Received(func(e Event) bool {
			return e.Content.DataMessage != nil && e.Content.DataMessage.Reaction != nil &&
				e.Content.DataMessage.Reaction.Remove == remove
		}))
		require.Equal(t, "👍🏽", e.Content.DataMessage.Reaction.Emoji)
		require.Equal(t, sent.Timestamp, e.Content.DataMessage.Reaction.TargetSentTimestamp)
		require.Equal(t, dave.Binary(), e.Content.DataMessage.Reaction.TargetAuthorAciBinary)
	}
	react(false)
	react(true)

	ours := c.SendText(dave.Number, "our own")
	dave.SendData(r.Me, map[string]any{"reaction": map[string]any{"emoji": "🎉", "targetAuthorAciBinary": r.Me.Binary(),
		"targetSentTimestamp": ours}}, SendOptions{})
	got := c.Receive("dave's reaction", 1, []string{"reaction"}, func(m Message) bool { return m.Type == "reaction" })[0]
	require.NotNil(t, got.Reaction)
	require.Equal(t, "🎉", got.Reaction.Emoji)
	require.Equal(t, r.Me.Number, got.Reaction.Author)
	require.Equal(t, ours, got.Reaction.Timestamp)
	require.False(t, got.Reaction.Remove)
}

func quotes(t *testing.T, r *Rig) {
	erin, c := r.Contact("erin"), r.Daemon.Dial()
	sent := erin.SendText(r.Me, "the question", SendOptions{})
	c.ReceiveText("the question")
	c.Must(Request{"command": "send_message", "recipient": erin.Number, "dataMessage": map[string]any{
		"message": "@ the answer", "quote": map[string]any{"author": erin.Number, "timestamp": sent.Timestamp, "text": "the question"},
		"mentions":   []any{map[string]any{"start": 0, "length": 1, "recipient": erin.Number}},
		"textStyles": []any{map[string]any{"start": 2, "length": 3, "style": "bold"}}}})
	message := erin.AwaitText("\uFFFC the answer").Content.DataMessage
	require.NotNil(t, message.Quote)
	require.Equal(t, sent.Timestamp, message.Quote.ID)
	require.Equal(t, erin.Binary(), message.Quote.AuthorAciBinary)
	require.Equal(t, "the question", message.Quote.Text)
	require.Len(t, message.BodyRanges, 2)

	ours := c.SendText(erin.Number, "quotable")
	erin.SendData(r.Me, map[string]any{"body": "quoted", "quote": map[string]any{"id": ours,
		"authorAciBinary": r.Me.Binary(), "text": "quotable"}}, SendOptions{})
	got := c.ReceiveText("quoted")
	require.NotNil(t, got.Quote)
	require.Equal(t, ours, got.Quote.Timestamp)
	require.Equal(t, r.Me.Number, got.Quote.Author)
	require.Equal(t, "quotable", got.Quote.Text)
}

func editsAndDeletes(t *testing.T, r *Rig) {
	frank, c := r.Contact("frank"), r.Daemon.Dial()
	ours := c.SendText(frank.Number, "tpyo")
	c.Must(Request{"command": "send_message", "recipient": frank.Number,
		"dataMessage": map[string]any{"message": "typo", "editTimestamp": ours}})
	e := r.Await("our edit", frank.Received(func(e Event) bool { return e.Content.EditMessage != nil }))
	require.Equal(t, ours, e.Content.EditMessage.TargetSentTimestamp)
	require.Equal(t, "typo", e.Content.EditMessage.DataMessage.Body)
	c.Must(Request{"command": "delete_message", "recipient": frank.Number, "timestamp": ours})
	e = r.Await("our deletion", frank.Received(func(e Event) bool {
		return e.Content.DataMessage != nil && e.Content.DataMessage.Delete != nil
	}))
	require.Equal(t, ours, e.Content.DataMessage.Delete.TargetSentTimestamp)

	sent := frank.SendText(r.Me, "worng", SendOptions{})
	c.ReceiveText("worng")
	frank.SendContent(r.Me, map[string]any{"editMessage": map[string]any{"targetSentTimestamp": sent.Timestamp,
		"dataMessage": map[string]any{"body": "wrong", "timestamp": sent.Timestamp + 1}}},
		SendOptions{Timestamp: sent.Timestamp + 1})
	got := c.Receive("frank's edit", 1, []string{"edit"}, func(m Message) bool { return m.Type == "edit" })[0]
	require.Equal(t, "wrong", got.Body)
	require.NotNil(t, got.Edit)
	require.Equal(t, sent.Timestamp, got.Edit.Timestamp)
	frank.SendData(r.Me, map[string]any{"delete": map[string]any{"targetSentTimestamp": sent.Timestamp}}, SendOptions{})
	got = c.Receive("frank's deletion", 1, []string{"delete"}, func(m Message) bool { return m.Type == "delete" })[0]
	require.NotNil(t, got.Delete)
	require.Equal(t, sent.Timestamp, got.Delete.Timestamp)
}

func receipts(t *testing.T, r *Rig) {
	grace, c := r.Contact("grace"), r.Daemon.Dial()
	sent := grace.SendText(r.Me, "are you there", SendOptions{})
	awaitReceipt := func(kind string) {
		r.Await("a "+kind+" receipt", grace.Received(func(e Event) bool {
			receipt := e.Content.ReceiptMessage
			return receipt != nil && receipt.Type == kind && len(receipt.Timestamp) == 1 && receipt.Timestamp[0] == sent.Timestamp
		}))
	}
	awaitReceipt("DELIVERY")
	c.ReceiveText("are you there")
	for _, kind := range []string{"read", "viewed"} {
		c.Must(Request{"command": "send_receipt", "recipient": grace.Number, "type": kind, "timestamps": []int64{sent.Timestamp}})
	}
	awaitReceipt("READ")
	awaitReceipt("VIEWED")
	r.Await("the phone to hear of it", r.Me.Received(func(e Event) bool {
		return e.Content.SyncMessage != nil && len(e.Content.SyncMessage.Read) == 1
	}))

	grace.Habits("receipts")
	defer grace.Habits()
	ours := c.SendText(grace.Number, "did you get it")
	got := c.Receive("grace's receipt", 1, []string{"receipt"}, func(m Message) bool { return m.SenderUUID == grace.ACI })[0]
	require.NotNil(t, got.Receipt)
	require.Equal(t, "delivery", got.Receipt.Type)
	require.Equal(t, []int64{ours}, got.Receipt.Timestamps)
}

func typing(t *testing.T, r *Rig) {
	heidi, c := r.Contact("heidi"), r.Daemon.Dial()
	c.SendText(heidi.Number, "soon")
	for action, request := range map[string]Request{
		"STARTED": {"command": "send_typing", "recipient": heidi.Number},
		"STOPPED": {"command": "send_typing", "recipient": heidi.Number, "stop": true},
	} {
		c.Must(request)
		r.Await(action, heidi.Received(func(e Event) bool {
			return e.Content.TypingMessage != nil && (e.Content.TypingMessage.Action == action ||
				action == "STARTED" && e.Content.TypingMessage.Action == "")
		}))
	}
	now := time.Now().UnixMilli()
	heidi.SendContent(r.Me, map[string]any{"typingMessage": map[string]any{"timestamp": now, "action": "STARTED"}},
		SendOptions{Timestamp: now})
	got := c.Receive("heidi's typing", 1, []string{"typing"}, func(m Message) bool { return m.SenderUUID == heidi.ACI })[0]
	require.NotNil(t, got.Typing)
	require.Equal(t, "started", got.Typing.Action)
}

func transcripts(t *testing.T, r *Rig) {
	ivan, c := r.Contact("ivan"), r.Daemon.Dial()
	timestamp := c.SendText(ivan.Number, "also for my phone")
	e := r.Await("the transcript", r.Me.Received(func(e Event) bool {
		sync := e.Content.SyncMessage
		return sync != nil && sync.Sent != nil && sync.Sent.Message != nil && sync.Sent.Message.Body == "also for my phone"
	}))
	require.False(t, e.Sealed)
	require.Equal(t, timestamp, e.Content.SyncMessage.Sent.Timestamp)
	require.Equal(t, ivan.Binary(), e.Content.SyncMessage.Sent.DestinationServiceIDBinary)

	r.Me.SendContent(r.Me, map[string]any{"syncMessage": map[string]any{"sent": map[string]any{
		"destinationServiceIdBinary": ivan.Binary(), "timestamp": timestamp + 5,
		"message": map[string]any{"body": "from my phone", "timestamp": timestamp + 5}}}},
		SendOptions{Unsealed: true, Timestamp: timestamp + 5})
	got := c.Receive("what the phone sent", 1, []string{"sync"}, func(m Message) bool {
		return m.Sync != nil && m.Sync.Sent != nil && m.Sync.Sent.Body == "from my phone"
	})[0]
	require.Equal(t, ivan.ACI, got.Sync.Sent.RecipientUUID)
	require.Equal(t, timestamp+5, got.Sync.Sent.Timestamp)
}

func toOurPNI(t *testing.T, r *Rig) {
	pia, c := r.NewAccount("pia"), r.Daemon.Dial()
	pia.SendText(r.Me, "only your number", SendOptions{Kind: "PNI", Unsealed: true})
	got := c.ReceiveText("only your number")
	require.Equal(t, pia.ACI, got.SenderUUID)
	pia.Habits("receipts")
	c.SendText(pia.ACI, "that was me")
	e := pia.AwaitText("that was me")
	require.NotNil(t, e.Content.PniSignatureMessage, "proves that number and account are one person")
	c.Receive("pia's receipt, which says that she has the proof", 1, []string{"receipt"},
		func(m Message) bool { return m.SenderUUID == pia.ACI })
	c.SendText(pia.ACI, "settled")
	require.Nil(t, pia.AwaitText("settled").Content.PniSignatureMessage)
}

func toTheirPNI(t *testing.T, r *Rig) {
	quinn, c := r.NewAccount("quinn"), r.Daemon.Dial()
	c.SendText(quinn.PNI, "to your number")
	e := quinn.AwaitText("to your number")
	require.Equal(t, "PNI", e.Kind)
	require.Equal(t, "PreKey", e.Type)
	require.False(t, e.Sealed, "nothing sealed goes to a PNI")
}

func noteToSelf(t *testing.T, r *Rig) {
	c := r.Daemon.Dial()
	timestamp := c.SendText("self", "note")
	e := r.Await("the note", r.Me.Received(func(e Event) bool {
		sync := e.Content.SyncMessage
		return sync != nil && sync.Sent != nil && sync.Sent.Message != nil && sync.Sent.Message.Body == "note"
	}))
	require.Equal(t, r.Me.Binary(), e.Content.SyncMessage.Sent.DestinationServiceIDBinary)
	require.Equal(t, timestamp, e.Content.SyncMessage.Sent.Timestamp)
}

func longText(t *testing.T, r *Rig) {
	alice, c := r.Contact("alice"), r.Daemon.Dial()
	long := ""
	for i := range 700 {
		long += fmt.Sprintf("line %d\n", i)
	}
	c.SendText(alice.Number, long)
	sum := sha256.Sum256([]byte(long))
	e := r.Await("the long text", alice.Received(func(e Event) bool {
		return len(e.Attachments) == 1 && e.Attachments[0].ContentType == "text/x-signal-plain"
	}))
	require.Equal(t, hex.EncodeToString(sum[:]), e.Attachments[0].SHA256)
	require.LessOrEqual(t, len(e.Text()), 2000)

	alice.SendAttachments(r.Me, long[:2000], []map[string]any{{"contentType": "text/x-signal-plain",
		"base64": base64.StdEncoding.EncodeToString([]byte(long))}}, SendOptions{})
	got := c.ReceiveText(long)
	require.Empty(t, got.Attachments)
}

func variety(t *testing.T, r *Rig) {
	bob, c := r.Contact("bob"), r.Daemon.Dial()
	bob.SendAttachments(r.Me, "listen", []map[string]any{{"size": 10, "contentType": "audio/aac", "flags": 1}}, SendOptions{})
	got := c.ReceiveText("listen")
	require.Len(t, got.Attachments, 1)
	require.True(t, got.Attachments[0].VoiceNote)
	bob.SendData(r.Me, map[string]any{"body": "gone soon", "expireTimer": 30, "isViewOnce": true}, SendOptions{})
	got = c.ReceiveText("gone soon")
	require.Equal(t, 30, got.ExpiresInSeconds)
	require.True(t, got.ViewOnce)

	c.Must(Request{"command": "send_message", "recipient": bob.ACI, "dataMessage": map[string]any{
		"message": "voice", "attachments": []any{map[string]any{"base64Data": "AAAA", "contentType": "audio/aac",
			"voiceNote": true, "caption": "hm", "filename": "a.aac"}}}})
	e := bob.AwaitText("voice")
	require.Equal(t, 1, e.Content.DataMessage.Attachments[0].Flags)
	require.Equal(t, "hm", e.Attachments[0].Caption)
	require.Equal(t, "a.aac", e.Attachments[0].FileName)
}

// Content of a later version: a field that no program knows, and nothing else.
func unknownContent(t *testing.T, r *Rig) {
	c := r.Daemon.Dial()
	r.Call("sendBytes", args{"from": "carol", "to": "me", "base64": "ogYDYWJj"}, nil)
	c.Receive("the unknown", 1, nil, func(m Message) bool { return m.Type == "unknown" })
}

func smallAttachments(t *testing.T, r *Rig) {
	attachmentsBothWays(t, r, r.Contact("dave"), 0, 1, 1<<20)
}

func attachmentsBothWays(t *testing.T, r *Rig, contact *Account, sizes ...int) {
	c := r.Daemon.Dial()
	for _, size := range sizes {
		body := fmt.Sprintf("attachment of %d bytes", size)
		data := make([]byte, size)
		_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(data)
		c.Must(Request{"command": "send_message", "recipient": contact.ACI, "dataMessage": map[string]any{
			"message": body, "attachments": []any{map[string]any{
				"base64Data": base64.StdEncoding.EncodeToString(data), "filename": "data.bin"}}}})
		e := contact.AwaitText(body)
		sum := sha256.Sum256(data)
		require.Len(t, e.Attachments, 1)
		require.Empty(t, e.Attachments[0].Error)
		require.EqualValues(t, size, e.Attachments[0].Size)
		require.Equal(t, hex.EncodeToString(sum[:]), e.Attachments[0].SHA256)
		require.Equal(t, "data.bin", e.Attachments[0].FileName)
		require.True(t, e.Attachments[0].BucketOK, "padded as the apps pad")

		sent := contact.SendAttachments(r.Me, "back: "+body,
			[]map[string]any{{"size": size, "fileName": "back.bin", "incremental": size > 0}}, SendOptions{})
		got := c.ReceiveText("back: " + body)
		require.Len(t, got.Attachments, 1)
		require.Empty(t, got.Attachments[0].ErrorMessage)
		require.Equal(t, "back.bin", got.Attachments[0].Filename)
		received := got.Attachments[0].Data(t)
		require.Len(t, received, size)
		sum = sha256.Sum256(received)
		require.Equal(t, sent.Attachments[0].SHA256, hex.EncodeToString(sum[:]))
	}
}

func TestLargeAttachment(t *testing.T) {
	eachService(t, func(t *testing.T, version int) {
		size := 100 << 20
		if version != 27 && !soak {
			size = 10 << 20 // they differ in nothing that the size matters for
		}
		r := NewRig(t, version, RigOptions{}, "alice")
		attachmentsBothWays(t, r, r.Contact("alice"), size)
	})
}
