package sandbox_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/servicepb"
)

// moveIn has somebody live in a world until the end of the test, beside those whom the service knows of. Where the
// account's phone is on already, that one is displaced, as by a device that was restarted: it has the account's keys,
// and no session.
func moveIn(t *testing.T, like *contacts.Person, world contacts.World, behaviour contacts.Behaviour) *contacts.Person {
	t.Helper()
	again := contacts.New(like.Phone, world, behaviour)
	require.NoError(t, again.Start())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		again.Run(ctx)
	}()
	t.Cleanup(func() { stop(); <-done })
	return again
}

// TestContactForgets has a contact lose all its sessions: it asks for what it cannot read, and the client sends it
// again.
func TestContactForgets(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	for range 2 {
		anna.tries(t, echo, text("do you remember me?"))
		require.Equal(t, "do you remember me?", anna.takes(t, model.TypeMessage).Message.Text)
		echo = moveIn(t, echo, s.World(), contacts.Echo())
		anna.tries(t, echo, text("and now?"))
		require.Equal(t, "and now?", anna.takes(t, model.TypeMessage).Message.Text)
	}
}

// TestContactForgetsSenderKeys is the same in a group.
func TestContactForgetsSenderKeys(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	echo := meet(t, s, "+12025550190", "Echo", contacts.Echo())
	anna.tries(t, echo, text("hello"))
	anna.takes(t, model.TypeMessage)
	made, err := anna.CreateGroup(contextOf(t), model.GroupCreation{
		Title: "Club", Members: []model.Recipient{recipient(&member{phone: echo.Phone})},
	})
	require.NoError(t, err)
	anna.tells(t, made.Group.ID, "one")
	require.Equal(t, "one", anna.takes(t, model.TypeMessage).Message.Text)
	echo = moveIn(t, echo, s.World(), contacts.Echo())
	anna.tells(t, made.Group.ID, "two")
	answer := anna.takes(t, model.TypeMessage)
	require.Equal(t, "two", answer.Message.Text)
	require.Equal(t, made.Group.ID, answer.Parsed.Group.ID())
	require.Equal(t, echo.ACI, answer.Sender)
}

// spoiler damages the ciphertexts of the next sends without a seal.
type spoiler struct {
	next  func(context.Context, *wire.Request) *wire.Response
	times atomic.Int32
}

func (s *spoiler) call(ctx context.Context, r *wire.Request) *wire.Response {
	if r.By == nil || r.Method != http.MethodPut || !strings.HasPrefix(r.Path, "/v1/messages/") || s.times.Add(-1) < 0 {
		return s.next(ctx, r)
	}
	var list map[string]any
	if json.Unmarshal(r.Body, &list) != nil {
		return nil
	}
	for _, one := range list["messages"].([]any) {
		message := one.(map[string]any)
		ciphertext, err := base64.StdEncoding.DecodeString(message["content"].(string))
		if err != nil {
			return nil
		}
		if message["type"] == float64(servicepb.Envelope_DOUBLE_RATCHET) {
			ciphertext[len(ciphertext)-1] ^= 1 // of the MAC
		}
		message["content"] = base64.StdEncoding.EncodeToString(ciphertext)
	}
	r.Body, _ = json.Marshal(list)
	return s.next(ctx, r)
}

// TestClientCannotRead has a client get what it cannot decrypt: it asks for it again, and the contact sends it in a
// new session.
func TestClientCannotRead(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	world := s.World()
	spoil := &spoiler{next: world.Call}
	world.Call = spoil.call
	silent := moveIn(t, meet(t, s, "+12025550191", "Silent", contacts.Silent()), world, contacts.Silent())
	_, err := silent.Say(anna.phone.ACI, "one")
	require.NoError(t, err)
	require.Equal(t, "one", anna.takes(t, model.TypeMessage).Message.Text)
	anna.tries(t, silent, text("I hear you")) // from here on, messages do not open a session
	anna.awaitRead(t, s, silent.Phone)
	wrong := anna.phone.ProfileKey
	wrong[0] ^= 1
	silent.Acquaint(anna.phone.ACI, wrong) // what is sealed cannot be damaged from here

	spoil.times.Store(1)
	spoiled, err := silent.Say(anna.phone.ACI, "two")
	require.NoError(t, err)
	require.Zero(t, spoil.times.Load(), "it was spoiled")
	for {
		message, err := anna.Receive(contextOf(t), model.ReceiveOptions{
			Owner: 1, Max: 1, Types: []model.MessageType{model.TypeMessage, model.TypeUnknown}, Wait: soon,
		})
		require.NoError(t, err)
		require.Len(t, message, 1)
		_, err = anna.Ack(context.Background(), 1, []string{message[0].ID})
		require.NoError(t, err)
		require.Equal(t, spoiled, message[0].Timestamp)
		if message[0].ErrorMessage == "" {
			break
		}
	}
	_, err = silent.Say(anna.phone.ACI, "three")
	require.NoError(t, err)
	require.Equal(t, "three", anna.takes(t, model.TypeMessage).Message.Text)
}

// TestSealing tells when contacts seal: once they know the profile key, and not any more when it is not the account's.
func TestSealing(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550151", "Anna")
	silent := meet(t, s, "+12025550191", "Silent", contacts.Silent())
	says := func() bool {
		timestamp, err := silent.Say(anna.phone.ACI, "hello")
		require.NoError(t, err)
		message := anna.takes(t, model.TypeMessage)
		require.Equal(t, "hello", message.Message.Text)
		require.Equal(t, timestamp, message.InboxMessage.Timestamp)
		return message.Sealed
	}
	require.False(t, says())
	wrong := anna.phone.ProfileKey
	wrong[0] ^= 1
	silent.Acquaint(anna.phone.ACI, wrong)
	require.False(t, says(), "the service refuses the access key")
	silent.Acquaint(anna.phone.ACI, anna.phone.ProfileKey)
	require.True(t, says())
}
