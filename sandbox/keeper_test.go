package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
	"signalbox/sandbox/disk"
	"signalbox/sandbox/phone"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/model"
)

// kept is the state that a directory holds.
func kept(t *testing.T, dir string) map[string]any {
	t.Helper()
	var state map[string]any
	require.NoError(t, disk.Open(dir).Load(&state))
	return state
}

// again closes a sandbox and starts it from its directory. The same port is not asked for: it may be somebody else's.
func again(t *testing.T, s *sandbox.Service, dir string) *sandbox.Service {
	t.Helper()
	require.NoError(t, s.Close())
	next, err := sandbox.Start(sandbox.Options{Dir: dir})
	require.NoError(t, err)
	return next
}

func TestSandboxIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sandbox")
	s, err := sandbox.Start(sandbox.Options{Dir: dir})
	require.NoError(t, err)
	require.True(t, s.Fresh())
	account, err := s.Populate()
	require.NoError(t, err)
	group, _ := s.Everybody()
	require.NoDirExists(t, dir, "nothing is written before Keep")
	require.NoError(t, s.Keep())
	anna, err := s.NewPhone("+12025550111", "Anna")
	require.NoError(t, err)
	gone, err := s.NewPhone("+12025550112", "Ben")
	require.NoError(t, err)
	s.Accounts.Remove(gone.ACI)
	status, _ := ask(t, s, call{
		method: "PUT", path: "/v1/messages/" + account.ACI.String(), as: anna,
		body: message(1, account.ACIKeys.RegistrationID, []byte("hello")),
	})
	require.Equal(t, 200, status)
	require.NoError(t, s.CDN.Put(3, "attachments/key", []byte("blob")))

	clock, found := s.Resident(sandbox.Roles()[1].Number)
	require.True(t, found)
	clock.Person.Recall(contacts.Memory{anna.ACI.String(): true, account.ACI.String(): false, "x": true})
	listeners := contacts.Memory{anna.ACI.String(): true, account.ACI.String(): false}
	require.Equal(t, listeners, clock.Person.Memory())

	description := s.Environment()
	s = again(t, s, dir)
	clock, _ = s.Resident(clock.Phone.Number)
	require.Equal(t, listeners, clock.Person.Memory(), "the clock strikes for who has asked for it")
	before := kept(t, dir)
	require.False(t, s.Fresh())
	require.Equal(t, description.CACertificates, s.Environment().CACertificates)
	require.Equal(t, description.SealedSenderTrustRoots, s.Environment().SealedSenderTrustRoots)
	require.Equal(t, description.ZKServerPublicParams, s.Environment().ZKServerPublicParams)
	require.Equal(t, []byte("blob"), s.CDN.Get(3, "attachments/key"))
	back, err := s.Populate()
	require.NoError(t, err)
	require.Equal(t, account.ACI, back.ACI)
	require.Len(t, s.Residents(), 2+len(sandbox.Roles()))
	sameGroup, _ := s.Everybody()
	require.Equal(t, group, sameGroup)
	status, _ = ask(t, s, call{method: "GET", path: "/v1/accounts/whoami", as: anna})
	require.Equal(t, 200, status, "the password is the same")

	_, found = s.Resident(gone.Number)
	require.False(t, found)
	status, body := register(t, s, gone.Number, "secret", registration(t))
	require.Equal(t, 200, status, body)
	require.Contains(t, body, gone.ACI.UUID.String(), "a number keeps its identifiers")
	require.NoError(t, s.Keep())
	require.NoError(t, s.Close())
	after := kept(t, dir)
	for _, part := range []string{"Authority", "CA", "Groups", "Storage", "CDN", "Residents", "Everybody"} {
		require.Equal(t, before[part], after[part], part)
	}
}

// What waits for a device that is away, waits after a restart.
func TestMessagesAreKept(t *testing.T) {
	dir := t.TempDir()
	s, err := sandbox.Start(sandbox.Options{Dir: dir})
	require.NoError(t, err)
	anna, ben := phones(t, s)
	require.NoError(t, s.Keep())
	device := open(t, s.Environment(), "Ben")
	ctx := contextOf(t)
	uri, err := device.StartLink(ctx, model.LinkOptions{})
	require.NoError(t, err)
	require.NoError(t, ben.Scan(uri))
	_, err = device.FinishLink(ctx, uri)
	require.NoError(t, err)
	linked := s.Accounts.Find(ben.ACI).Devices[1]
	sendTo := func(s *sandbox.Service, who *phone.Phone) int {
		body := message(1, ben.ACIKeys.RegistrationID, []byte("one"))
		body["messages"] = append(body["messages"].([]fields), fields{
			"type": 1, "destinationDeviceId": linked.ID, "destinationRegistrationId": linked.RegistrationID,
			"content": []byte("two"),
		})
		status, _ := ask(t, s, call{method: "PUT", path: "/v1/messages/" + ben.ACI.String(), as: who, body: body})
		return status
	}
	require.Equal(t, 200, sendTo(s, anna))
	waiting := func(s *sandbox.Service) int {
		return s.Messages.Waiting(wire.Device{Account: ben.ACI.UUID, ID: linked.ID})
	}
	before := waiting(s)
	require.Positive(t, before)
	s = again(t, s, dir)
	require.Equal(t, before, waiting(s))
	require.Equal(t, 200, sendTo(s, anna), "the device is linked still")
	require.NoError(t, s.Close())
}

// A state that cannot be read is not replaced by a new one.
func TestDamagedStateIsRefused(t *testing.T) {
	dir := t.TempDir()
	s, err := sandbox.Start(sandbox.Options{Dir: dir})
	require.NoError(t, err)
	_, err = s.Populate()
	require.NoError(t, err)
	require.NoError(t, s.Keep())
	require.NoError(t, s.Close())
	good := kept(t, dir)

	for part, wrong := range map[string]any{
		"Authority": map[string]any{"ZK": "AAAA"}, "CA": nil, "Accounts": map[string]any{"Accounts": []any{map[string]any{}}},
		"Groups": []any{map[string]any{}}, "Storage": nil, "CDN": nil, "Messages": []any{map[string]any{"Messages": []string{"/w=="}}},
		"Residents": []any{map[string]any{}},
	} {
		state := map[string]any{}
		for name, value := range good {
			state[name] = value
		}
		state[part] = wrong
		other := t.TempDir()
		require.NoError(t, disk.Open(other).Save(state))
		_, err := sandbox.Start(sandbox.Options{Dir: other})
		require.ErrorIs(t, err, disk.ErrDamaged, part)
		content, err := os.ReadFile(filepath.Join(other, "state"))
		require.NoError(t, err)
		expected, err := json.Marshal(state)
		require.NoError(t, err)
		require.Contains(t, string(content), string(expected), part)
	}
}

// TestSnapshotsAreOfOneMoment takes states while accounts come and change their identities: an account and its phone are
// in them together, and agree.
func TestSnapshotsAreOfOneMoment(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, err := s.NewPhone("+12025550111", "Anna")
	require.NoError(t, err)
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			_, err := anna.Renew()
			assert.NoError(t, err)
			if n < 20 {
				_, err = s.NewPhone(fmt.Sprintf("+120255502%02d", n), "Ben")
				assert.NoError(t, err)
			}
		}
	})
	for range 200 {
		require.NoError(t, s.Torn())
	}
	close(stop)
	changing.Wait()
}
