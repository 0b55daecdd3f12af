// Package storage is the sandbox's storage service: for each account a manifest and items, which only its devices can
// read.
//
// Sources: signalapp/storage-service controllers/StorageController and storage/StorageManager, Signal-Server
// controllers/SecureStorageController and auth/ExternalServiceCredentialsGenerator.
package storage

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	credentialLife = 24 * time.Hour
	// maxReadKeys is StorageController.MAX_READ_KEYS, maxMutations StorageItemsTable.MAX_MUTATIONS; more is 413.
	maxReadKeys  = 5120
	maxMutations = 100_000
	// mutationsPerInsert is StorageItemsTable.MUTATIONS_PER_INSERT.
	mutationsPerInsert = 2
	// maxItems and maxItem bound what an account keeps.
	maxItems = 50_000
	maxItem  = 64 << 10
	// MaxBody bounds a request.
	MaxBody = 16 << 20
)

// Store keeps what accounts have stored. It is safe for concurrent use.
type Store struct {
	now    func() time.Time
	secret [32]byte // of the credentials

	mu       sync.Mutex
	accounts map[uuid.UUID]*account
}

type account struct {
	manifest *servicepb.StorageManifest // nil before the first write
	items    map[string][]byte
}

// New returns an empty store.
func New(now func() time.Time) *Store {
	s := &Store{now: now, accounts: map[uuid.UUID]*account{}}
	_, _ = rand.Read(s.secret[:])
	return s
}

// ChatRoutes adds the call by which a device gets credentials, to the chat host.
func (s *Store) ChatRoutes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/storage/auth", wire.DeviceOnly, s.credentials)
}

// Routes adds the calls of the storage host.
func (s *Store) Routes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/storage/manifest", wire.Anyone, s.manifest)
	rt.Handle(http.MethodGet, "/v1/storage/manifest/version/{version}", wire.Anyone, s.manifest)
	rt.Handle(http.MethodPut, "/v1/storage", wire.Anyone, s.write)
	rt.Handle(http.MethodPut, "/v1/storage/read", wire.Anyone, s.read)
	rt.Handle(http.MethodDelete, "/v1/storage", wire.Anyone, s.delete)
}

// credentials is SecureStorageController.getAuth: the account's name, and as password that name with a time and a MAC.
func (s *Store) credentials(_ context.Context, r *wire.Request) (*wire.Response, error) {
	username := hex.EncodeToString(r.By.Account[:])
	payload := fmt.Sprintf("%s:%d", username, s.now().Unix())
	return wire.JSON(map[string]string{"username": username, "password": payload + ":" + s.sign(payload)})
}

func (s *Store) sign(payload string) string {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil)[:10])
}

// authenticate checks credentials of the last day: 401 otherwise.
func (s *Store) authenticate(r *wire.Request) (uuid.UUID, error) {
	refused := wire.Unauthorized()
	username, password, present, err := wire.BasicAuth(r.Header)
	if err != nil || !present {
		return uuid.UUID{}, refused
	}
	// The password has the username in it, and so two colons more.
	at := strings.LastIndexByte(password, ':')
	if at < 0 || !hmac.Equal([]byte(s.sign(password[:at])), []byte(password[at+1:])) {
		return uuid.UUID{}, refused
	}
	signedName, issuedText, _ := strings.Cut(password[:at], ":")
	issued, err := strconv.ParseInt(issuedText, 10, 64)
	if err != nil || signedName != username || s.now().Sub(time.Unix(issued, 0)) > credentialLife {
		return uuid.UUID{}, refused
	}
	raw, err := hex.DecodeString(username)
	if err != nil {
		return uuid.UUID{}, refused
	}
	id, err := uuid.FromBytes(raw)
	if err != nil {
		return uuid.UUID{}, refused
	}
	return id, nil
}

// of needs mu.
func (s *Store) of(id uuid.UUID) *account {
	if s.accounts[id] == nil {
		s.accounts[id] = &account{items: map[string][]byte{}}
	}
	return s.accounts[id]
}

// manifest is StorageController.getManifest: 404 where there is none, 204 where the version is the one that is known.
func (s *Store) manifest(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	current := s.of(id).manifest
	text, versioned := r.Values["version"]
	if !versioned {
		if current == nil {
			return nil, wire.Refuse(http.StatusNotFound)
		}
		return wire.Proto(http.StatusOK, current)
	}
	version, err := strconv.ParseUint(text, 10, 64)
	switch {
	case err != nil:
		return nil, wire.Refuse(http.StatusNotFound)
	case current == nil || current.GetVersion() == version:
		return wire.NoContent()
	}
	return wire.Proto(http.StatusOK, current)
}

// write is StorageController.write: 409 with the manifest that stands, unless the version is the next one.
func (s *Store) write(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	var operation servicepb.WriteOperation
	if err := r.DecodeProto(&operation); err != nil {
		return nil, err
	}
	if operation.GetManifest() == nil {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	switch stands, err := s.Write(id, &operation); {
	case stands != nil:
		return wire.Proto(http.StatusConflict, stands)
	case err != nil:
		return nil, wire.Refuse(http.StatusRequestEntityTooLarge)
	}
	return wire.OK()
}

// ErrTooLarge is returned for a write of more than an account may keep.
var ErrTooLarge = errors.New("more than an account may keep in the storage service")

// Write does an operation for an account, or else returns the manifest that stands, whose successor it does not bring.
func (s *Store) Write(id uuid.UUID, operation *servicepb.WriteOperation) (*servicepb.StorageManifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of(id)
	if !a.fits(operation) {
		return nil, ErrTooLarge
	}
	if operation.GetClearAll() { // before the version is looked at
		clear(a.items)
	}
	if a.manifest != nil && operation.GetManifest().GetVersion() != a.manifest.GetVersion()+1 {
		return a.manifest, nil
	}
	a.apply(operation)
	return nil, nil
}

// Manifest is an account's, nil before the first.
func (s *Store) Manifest(id uuid.UUID) *servicepb.StorageManifest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(id).manifest
}

func (a *account) fits(operation *servicepb.WriteOperation) bool {
	if mutationsPerInsert*len(operation.GetInsertItem())+len(operation.GetDeleteKey()) > maxMutations {
		return false
	}
	for _, item := range operation.GetInsertItem() {
		if len(item.GetValue()) > maxItem || len(item.GetKey()) > maxItem {
			return false
		}
	}
	kept := len(a.items)
	if operation.GetClearAll() {
		kept = 0
	}
	return kept+len(operation.GetInsertItem()) <= maxItems
}

func (a *account) apply(operation *servicepb.WriteOperation) {
	for _, key := range operation.GetDeleteKey() {
		delete(a.items, string(key))
	}
	for _, item := range operation.GetInsertItem() {
		a.items[string(item.GetKey())] = item.GetValue()
	}
	a.manifest = proto.CloneOf(operation.GetManifest())
}

// read is StorageController.read. Items that are not there are left out.
func (s *Store) read(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	var operation servicepb.ReadOperation
	if err := r.DecodeProto(&operation); err != nil {
		return nil, err
	}
	switch n := len(operation.GetReadKey()); {
	case n == 0:
		return nil, wire.Refuse(http.StatusBadRequest)
	case n > maxReadKeys:
		return nil, wire.Refuse(http.StatusRequestEntityTooLarge)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.of(id)
	items := &servicepb.StorageItems{}
	for _, key := range operation.GetReadKey() {
		if value, ok := a.items[string(key)]; ok {
			items.Items = append(items.Items, &servicepb.StorageItem{Key: key, Value: value})
		}
	}
	return wire.Proto(http.StatusOK, items)
}

// delete is StorageController.delete.
func (s *Store) delete(_ context.Context, r *wire.Request) (*wire.Response, error) {
	id, err := s.authenticate(r)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.accounts, id)
	return wire.OK()
}
