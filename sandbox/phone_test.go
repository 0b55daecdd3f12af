package sandbox_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/sealedsender"
)

// tablet is a linked device that does nothing by itself.
type tablet struct {
	*messenger.Messenger
	account *phone.Phone
	got     chan messenger.Message
}

func linkTablet(t *testing.T, s *sandbox.Service, account *phone.Phone) *tablet {
	t.Helper()
	code, err := s.Accounts.NewLinkingCode(account.ACI)
	require.NoError(t, err)
	status, body := ask(t, s, call{method: http.MethodPut, path: "/v1/devices/link", body: linkFields(account, code),
		header: map[string]string{"Authorization": basic("anybody", "secret")}})
	require.Equal(t, 200, status, body)
	identity := account.Identity()
	identity.RegistrationID = 5
	d := &tablet{account: account, got: make(chan messenger.Message, 10), Messenger: messenger.New(messenger.Account{
		DeviceID: 2, ACI: account.ACI, PNI: account.PNI, Number: account.Number, Identity: identity,
		ProfileKey: account.ProfileKey,
	}, s.World().World)}
	require.NoError(t, d.Start())
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.Run(ctx, func(m messenger.Message) error {
			select {
			case d.got <- m:
			case <-ctx.Done():
			}
			return nil
		})
	}()
	t.Cleanup(func() { stop(); <-done })
	return d
}

func (d *tablet) takes(t *testing.T) messenger.Message {
	t.Helper()
	select {
	case m := <-d.got:
		return m
	case <-time.After(soon):
		require.Fail(t, "nothing came")
		return messenger.Message{}
	}
}

// asks sends the phone a request, and returns the answer.
func (d *tablet) asks(t *testing.T, what content.RequestType) *content.Sync {
	t.Helper()
	request, err := content.NewSyncRequest(rand.Reader, what)
	require.NoError(t, err)
	require.NoError(t, d.Send(d.account.ACI, messenger.Outgoing{
		Timestamp: d.Timestamp(), Content: request, Hint: sealedsender.Implicit,
	}))
	answer := d.takes(t)
	require.NotNil(t, answer.Sync)
	return answer.Sync
}

func TestPhoneAnswersItsDevices(t *testing.T) {
	s := start(t, sandbox.Options{})
	account, err := s.Populate()
	require.NoError(t, err)
	d := linkTablet(t, s, account)

	keys := d.asks(t, content.RequestKeys).Keys
	require.Equal(t, account.Pool.Reveal(), keys.AccountEntropyPool)
	master := account.Pool.MasterKey()
	require.Equal(t, master[:], keys.MasterKey)

	configuration := d.asks(t, content.RequestConfiguration).Configuration
	require.True(t, *configuration.ReadReceipts)
	require.True(t, *configuration.TypingIndicators)
	require.False(t, *configuration.SealedSenderIndicators)

	list := d.asks(t, content.RequestContacts).Contacts
	require.True(t, list.Complete)
	stream, err := d.Download(&list.Attachment)
	require.NoError(t, err)
	numbers := map[string]string{}
	require.NoError(t, content.ReadContacts(bytes.NewReader(stream), func(c content.SyncedContact) error {
		numbers[c.Number] = c.Name
		return nil
	}))
	require.Equal(t, map[string]string{
		"+12025550101": "Echo", "+12025550102": "Clock", "+12025550103": "Silent", "+12025550104": "Moody",
	}, numbers)

	require.Empty(t, d.asks(t, content.RequestBlocked).Blocked.ACIs)
}

// TestPhoneReads has the phone read what others write to the account, so that nothing is left in its queue.
func TestPhoneReads(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550151", "Anna"), link(t, s, "+12025550152", "Ben")
	acquainted(t, anna, ben)
	for _, who := range []*member{anna, ben} {
		who.awaitRead(t, s, who.phone)
	}
}

// TestStorageChanges has the sandbox add a contact to an account that is linked: the client learns of it.
func TestStorageChanges(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := inhabitant(t, s)
	late := meet(t, s, "+12025550199", "Late", contacts.Silent())
	require.NoError(t, s.Remember(anna.phone, late.Record()))
	require.Eventually(t, func() bool {
		found, err := anna.Resolve(contextOf(t), []model.Recipient{
			{Kind: model.RecipientNumber, Number: "+12025550199", Text: "+12025550199"},
		})
		return err == nil && len(found) == 1 && found[0] == late.ACI
	}, soon, tick)
}
