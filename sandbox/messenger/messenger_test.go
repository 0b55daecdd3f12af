package messenger_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"signalbox/sandbox/messenger"
	"signalbox/sandbox/messenger/messengertest"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/content"
	"signalbox/signalcore/content/attachmentcipher"
	"signalbox/signalcore/content/profilecipher"
	state "signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const soon = 2 * time.Minute

// user has a phone, and what came to it.
type user struct {
	*messenger.Messenger
	account *phone.Phone
	got     chan messenger.Message
}

func register(t testing.TB, world messenger.World, number string) *phone.Phone {
	t.Helper()
	account, err := phone.New(world.Book, phone.Options{
		Number: number, Name: profilecipher.Name{Given: "Somebody"}, Now: world.Now, Rand: world.Rand,
	})
	require.NoError(t, err)
	return account
}

// turnOn has an account's phone read, until the end of the test or until it is turned on again.
func turnOn(t *testing.T, world messenger.World, account *phone.Phone) *user {
	t.Helper()
	u := &user{account.Messenger(world), account, make(chan messenger.Message, 100)}
	require.NoError(t, u.Start())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		u.Run(ctx, func(m messenger.Message) error { u.got <- m; return nil })
	}()
	t.Cleanup(func() { stop(); <-done })
	return u
}

func (u *user) says(t *testing.T, to serviceid.ServiceID, text string) uint64 {
	t.Helper()
	timestamp, c := u.words(t, nil, text)
	require.NoError(t, u.Send(to, messenger.Outgoing{Timestamp: timestamp, Content: c}))
	return timestamp
}

func (u *user) words(t *testing.T, group *content.Group, text string) (uint64, *servicepb.Content) {
	t.Helper()
	timestamp := u.Timestamp()
	common := content.Common{Timestamp: timestamp, ProfileKey: u.account.ProfileKey[:], Group: group}
	c, err := content.NewMessage(common, content.Message{Text: text})
	require.NoError(t, err)
	return timestamp, c
}

// hears waits for a text; other messages are passed over.
func (u *user) hears(t *testing.T) messenger.Message {
	t.Helper()
	for {
		select {
		case m := <-u.got:
			if m.Message != nil {
				return m
			}
		case <-time.After(soon):
			require.Fail(t, "nothing came")
		}
	}
}

func TestConversation(t *testing.T) {
	world := messengertest.New(t)
	anna := turnOn(t, world, register(t, world, "+12025550151"))
	ben := turnOn(t, world, register(t, world, "+12025550152"))
	sealed := []bool{false, true, true, true} // the first says the profile key
	for i, text := range []string{"one", "two", "three", "four"} {
		from, to := anna, ben
		if i%2 == 1 {
			from, to = ben, anna
		}
		sent := from.says(t, to.account.ACI, text)
		message := to.hears(t)
		require.Equal(t, text, message.Message.Text)
		require.Equal(t, sent, message.Timestamp)
		require.Equal(t, sealed[i], message.Sealed)
		require.Equal(t, serviceid.Address{ServiceID: from.account.ACI, DeviceID: 1}, message.From)
	}
	require.ErrorIs(t, anna.Send(serviceid.NewACI([16]byte{1}), messenger.Outgoing{
		Timestamp: 1, Content: &servicepb.Content{},
	}), messenger.ErrGone)
}

// TestLostSessions has each side lose its sessions in turn, also with a message that nobody will read in between.
func TestLostSessions(t *testing.T) {
	world := messengertest.New(t)
	annas, bens := register(t, world, "+12025550151"), register(t, world, "+12025550152")
	anna, ben := turnOn(t, world, annas), turnOn(t, world, bens)
	anna.says(t, bens.ACI, "hello")
	ben.hears(t)
	ben.says(t, annas.ACI, "hello")
	anna.hears(t)

	ben = turnOn(t, world, bens)
	sent := anna.says(t, bens.ACI, "do you know me?")
	again := ben.hears(t)
	require.Equal(t, "do you know me?", again.Message.Text)
	require.Equal(t, sent, again.Timestamp)

	anna = turnOn(t, world, annas)
	ben.says(t, annas.ACI, "and you?")
	require.Equal(t, "and you?", anna.hears(t).Message.Text)
	anna.says(t, bens.ACI, "sure")
	require.Equal(t, "sure", ben.hears(t).Message.Text)
}

func TestNewIdentity(t *testing.T) {
	world := messengertest.New(t)
	annas, bens := register(t, world, "+12025550151"), register(t, world, "+12025550152")
	anna, ben := turnOn(t, world, annas), turnOn(t, world, bens)
	anna.says(t, bens.ACI, "hello")
	ben.hears(t)
	for range 2 {
		identity, err := bens.Renew()
		require.NoError(t, err)
		require.NoError(t, ben.Become(identity))
		anna.says(t, bens.ACI, "who are you?")
		require.Equal(t, "who are you?", ben.hears(t).Message.Text)
		ben.says(t, annas.ACI, "somebody else")
		require.Equal(t, "somebody else", anna.hears(t).Message.Text)
	}
}

func TestGroup(t *testing.T) {
	world := messengertest.New(t)
	var users []*user
	for _, number := range []string{"+12025550151", "+12025550152", "+12025550153"} {
		users = append(users, turnOn(t, world, register(t, world, number)))
	}
	anna, ben, cleo := users[0], users[1], users[2]
	group, err := anna.CreateGroup("Club", []messenger.Candidate{
		{ACI: ben.account.ACI, ProfileKey: ben.account.ProfileKey},
		{ACI: cleo.account.ACI, ProfileKey: cleo.account.ProfileKey},
	})
	require.NoError(t, err)
	tells := func(from *user, text string) {
		t.Helper()
		timestamp, c := from.words(t, group, text)
		require.NoError(t, from.SendToGroup(group, messenger.Outgoing{Timestamp: timestamp, Content: c}))
		for _, to := range users {
			if to != from {
				message := to.hears(t)
				require.Equal(t, text, message.Message.Text)
				require.Equal(t, group.ID(), message.Parsed.Group.ID())
				require.True(t, message.Sealed)
			}
		}
	}
	tells(anna, "one")
	tells(anna, "two")
	tells(ben, "three")

	users[2] = turnOn(t, world, cleo.account) // who lost all sender keys
	tells(anna, "four")
	identity, err := ben.account.Renew()
	require.NoError(t, err)
	require.NoError(t, ben.Become(identity))
	tells(anna, "five")
	tells(ben, "six")
	before, err := ben.Group(group)
	require.NoError(t, err)
	require.Equal(t, "Club", before.Title)
	require.Len(t, before.Members, 3)

	dora := turnOn(t, world, register(t, world, "+12025550154"))
	_, c := dora.words(t, group, "let me in")
	require.Error(t, dora.SendToGroup(group, messenger.Outgoing{Timestamp: dora.Timestamp(), Content: c}))

	signed, err := ben.ChangeGroup(group, func(e *state.Edit) error { return e.Title("Choir") },
		messenger.Candidate{ACI: dora.account.ACI, ProfileKey: dora.account.ProfileKey})
	require.NoError(t, err)
	require.NoError(t, world.ZK.VerifySignature(signed.GetActions(), signed.GetServerSignature()))
	group.Revision++
	now, err := dora.Group(group)
	require.NoError(t, err)
	require.Equal(t, "Choir", now.Title)
	require.Len(t, now.Members, 4)
	_, err = dora.ChangeGroup(group, func(e *state.Edit) error { return e.Remove(ben.account.ACI) })
	require.ErrorIs(t, err, model.ErrPermission)
}

func TestAttachments(t *testing.T) {
	world := messengertest.New(t)
	anna := turnOn(t, world, register(t, world, "+12025550151"))
	data := make([]byte, 100_000)
	_, _ = rand.Read(data)
	for _, like := range []content.Attachment{{ContentType: "image/png"}, {IncrementalMAC: make([]byte, 32)}} {
		uploaded, err := anna.Upload(like, bytes.NewReader(data), int64(len(data)))
		require.NoError(t, err)
		renewed, err := anna.UploadAgain(uploaded)
		require.NoError(t, err)
		require.NotEqual(t, uploaded.Key, renewed.Key)
		for _, a := range []content.Attachment{uploaded, renewed} {
			var got bytes.Buffer
			require.NoError(t, anna.Download(&a, &got))
			require.Equal(t, data, got.Bytes())
			require.Equal(t, len(like.IncrementalMAC) > 0, len(a.IncrementalMAC) > 0)
		}
		changed := uploaded
		changed.Digest = bytes.Repeat([]byte{1}, 32)
		_, err = anna.UploadAgain(changed)
		require.ErrorIs(t, err, attachmentcipher.ErrCorrupt)
		uploaded.CDNKey = "another"
		require.ErrorIs(t, anna.Download(&uploaded, io.Discard), messenger.ErrAttachment)
		_, err = anna.UploadAgain(uploaded)
		require.ErrorIs(t, err, messenger.ErrAttachment)
	}
}

// TestPreKeysAreUsed has one-time keys open sessions, and new ones come before they run out.
func TestPreKeysAreUsed(t *testing.T) {
	world := messengertest.New(t)
	anna := turnOn(t, world, register(t, world, "+12025550151"))
	left := func() (ec, kyber int) {
		response := world.Call(context.Background(), &wire.Request{
			Method: http.MethodGet, Path: "/v2/keys", By: &wire.Device{Account: anna.account.ACI.UUID, ID: 1},
			Header: http.Header{},
		})
		var count struct{ Count, PQCount int }
		require.NoError(t, json.Unmarshal(response.Body, &count))
		return count.Count, count.PQCount
	}
	before, _ := left()
	ben := turnOn(t, world, register(t, world, "+12025550152"))
	ben.says(t, anna.account.ACI, "hello")
	anna.hears(t)
	ec, kyber := left()
	require.Equal(t, before-1, ec)
	require.Equal(t, before-1, kyber)
	for range before - 2 { // somebody fetches keys and never writes
		_, err := world.Book.Bundles(anna.account.ACI, 1)
		require.NoError(t, err)
	}
	cleo := turnOn(t, world, register(t, world, "+12025550153"))
	cleo.says(t, anna.account.ACI, "hello")
	anna.hears(t)
	ec, kyber = left()
	require.Equal(t, before, ec)
	require.Equal(t, before, kyber)
	dora := turnOn(t, world, register(t, world, "+12025550154"))
	dora.says(t, anna.account.ACI, "with a key of the second lot")
	require.Equal(t, "with a key of the second lot", anna.hears(t).Message.Text)
}
