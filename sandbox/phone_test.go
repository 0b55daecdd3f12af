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
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
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
	account, err := s.NewPhone("+12025550151", "Anna")
	require.NoError(t, err)
	ben, err := s.NewPhone("+12025550152", "Ben")
	require.NoError(t, err)
	require.NoError(t, s.Remember(account, account.AccountRecord(), ben.Record()))
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
	var stream bytes.Buffer
	require.NoError(t, d.Download(&list.Attachment, &stream))
	numbers := map[string]string{}
	require.NoError(t, content.ReadContacts(&stream, func(c content.SyncedContact) error {
		numbers[c.Number] = c.Name
		return nil
	}))
	require.Equal(t, map[string]string{"+12025550152": "Ben"}, numbers)

	require.Empty(t, d.asks(t, content.RequestBlocked).Blocked.ACIs)

	require.NoError(t, s.Remember(account, account.AccountRecord()))
	require.Equal(t, content.FetchStorage, d.takes(t).Sync.FetchLatest)
}
