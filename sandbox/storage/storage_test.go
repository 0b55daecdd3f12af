package storage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

// service is a store with its calls, and a clock that can be set.
type service struct {
	*wire.Router
	store *Store
	now   time.Time
}

func newService() *service {
	s := &service{Router: wire.NewRouter(zerolog.Nop()), now: time.Unix(1_700_000_000, 0)}
	s.store = New(func() time.Time { return s.now })
	s.store.ChatRoutes(s.Router)
	s.store.Routes(s.Router)
	return s
}

// credentials are those that the chat service gives an account.
func (s *service) credentials(t testing.TB, account uuid.UUID) string {
	t.Helper()
	answer := s.Route(context.Background(), &wire.Request{
		Method: http.MethodGet, Path: "/v1/storage/auth", By: &wire.Device{Account: account, ID: 2},
	})
	require.Equal(t, http.StatusOK, answer.Status)
	var given struct{ Username, Password string }
	require.NoError(t, json.Unmarshal(answer.Body, &given))
	return basic(given.Username + ":" + given.Password)
}

func basic(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }

func (s *service) ask(method, path, authorization string, body []byte) *wire.Response {
	return s.Route(context.Background(), &wire.Request{Method: method, Path: path, Body: body, Header: http.Header{
		"Authorization": {authorization}, "Content-Type": {wire.MediaTypeProtobuf},
	}})
}

func encoded(t testing.TB, m proto.Message) []byte {
	t.Helper()
	data, err := proto.Marshal(m)
	require.NoError(t, err)
	return data
}

func manifest(version uint64) *servicepb.StorageManifest {
	return &servicepb.StorageManifest{Version: &version, Value: []byte("m")}
}

func item(key string) *servicepb.StorageItem {
	return &servicepb.StorageItem{Key: []byte(key), Value: []byte("of " + key)}
}

func TestCredentials(t *testing.T) {
	s := newService()
	anna, ben := s.credentials(t, uuid.New()), s.credentials(t, uuid.New())
	const path = "/v1/storage/manifest"
	require.Equal(t, http.StatusNotFound, s.ask(http.MethodGet, path, anna, nil).Status)
	decode := func(authorization string) string {
		text, err := base64.StdEncoding.DecodeString(authorization[len("Basic "):])
		require.NoError(t, err)
		return string(text)
	}
	mixed := decode(anna)[:32] + decode(ben)[32:]
	for name, bad := range map[string]string{
		"none": "", "another scheme": "Bearer x", "no password": basic("a"), "another name": basic(mixed),
		"changed": basic(decode(anna) + "0"), "without a mac": basic(decode(anna)[:50]), "not base64": "Basic !",
	} {
		require.Equal(t, http.StatusUnauthorized, s.ask(http.MethodGet, path, bad, nil).Status, name)
	}
	s.now = s.now.Add(credentialLife + time.Second)
	require.Equal(t, http.StatusUnauthorized, s.ask(http.MethodGet, path, anna, nil).Status, "expired")
}

// TestStorage is StorageController, call by call.
func TestStorage(t *testing.T) {
	s := newService()
	anna := s.credentials(t, uuid.New())
	write := func(o *servicepb.WriteOperation) []byte { return encoded(t, o) }
	keys := func(n int) []byte {
		read := &servicepb.ReadOperation{}
		for range n {
			read.ReadKey = append(read.ReadKey, []byte("a"))
		}
		return encoded(t, read)
	}
	deleting := &servicepb.WriteOperation{Manifest: manifest(9)}
	for range maxMutations + 1 {
		deleting.DeleteKey = append(deleting.DeleteKey, []byte("k"))
	}
	for _, c := range []struct {
		name, method, path string
		body               []byte
		status             int
	}{
		{"nothing yet", http.MethodGet, "/v1/storage/manifest", nil, 404},
		{"nothing yet, by version", http.MethodGet, "/v1/storage/manifest/version/0", nil, 204},
		{"without a manifest", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{}), 400},
		{"not protobuf", http.MethodPut, "/v1/storage", []byte{0xff}, 400},
		{"first, of any version", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{
			Manifest: manifest(8), InsertItem: []*servicepb.StorageItem{item("a"), item("b")},
		}), 200},
		{"the same version", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{Manifest: manifest(8)}), 409},
		{"one left out", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{Manifest: manifest(10)}), 409},
		{"too much at a time", http.MethodPut, "/v1/storage", write(deleting), 413},
		{"an item too large", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{
			Manifest: manifest(9), InsertItem: []*servicepb.StorageItem{{Key: []byte("c"), Value: make([]byte, maxItem+1)}},
		}), 413},
		{"next", http.MethodPut, "/v1/storage", write(&servicepb.WriteOperation{
			Manifest: manifest(9), DeleteKey: [][]byte{[]byte("b")},
		}), 200},
		{"known", http.MethodGet, "/v1/storage/manifest/version/9", nil, 204},
		{"another", http.MethodGet, "/v1/storage/manifest/version/8", nil, 200},
		{"version that is none", http.MethodGet, "/v1/storage/manifest/version/x", nil, 404},
		{"reading nothing", http.MethodPut, "/v1/storage/read", keys(0), 400},
		{"reading as much as may be", http.MethodPut, "/v1/storage/read", keys(maxReadKeys), 200},
		{"reading more", http.MethodPut, "/v1/storage/read", keys(maxReadKeys + 1), 413},
		{"delete", http.MethodDelete, "/v1/storage", nil, 200},
		{"deleted", http.MethodGet, "/v1/storage/manifest", nil, 404},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.status, s.ask(c.method, c.path, anna, c.body).Status)
		})
	}
}

// TestClearAll clears even where the version is another, as the live service does, which looks at that later.
func TestClearAll(t *testing.T) {
	s := newService()
	account := uuid.New()
	stands, err := s.store.Write(account, &servicepb.WriteOperation{
		Manifest: manifest(1), InsertItem: []*servicepb.StorageItem{item("a")},
	})
	require.NoError(t, err)
	require.Nil(t, stands)
	clearing := true
	stands, err = s.store.Write(account, &servicepb.WriteOperation{Manifest: manifest(7), ClearAll: &clearing})
	require.NoError(t, err)
	require.Equal(t, uint64(1), stands.GetVersion())
	read := encoded(t, &servicepb.ReadOperation{ReadKey: [][]byte{[]byte("a")}})
	answer := s.ask(http.MethodPut, "/v1/storage/read", s.credentials(t, account), read)
	require.Empty(t, answer.Body)
}

// FuzzStorage sends whatever may be an operation, or credentials.
func FuzzStorage(f *testing.F) {
	f.Add([]byte{}, false, "Basic YTpi")
	f.Add(encoded(f, &servicepb.WriteOperation{
		Manifest: manifest(1), InsertItem: []*servicepb.StorageItem{item("a")},
	}), false, "")
	f.Add(encoded(f, &servicepb.ReadOperation{ReadKey: [][]byte{[]byte("a")}}), true, "")
	f.Fuzz(func(t *testing.T, body []byte, reads bool, authorization string) {
		s := newService()
		path := "/v1/storage"
		if reads {
			path += "/read"
		}
		require.Equal(t, http.StatusUnauthorized, s.ask(http.MethodPut, path, authorization, body).Status)
		answer := s.ask(http.MethodPut, path, s.credentials(t, uuid.New()), body)
		require.Contains(t, []int{200, 400, 413}, answer.Status)
	})
}
