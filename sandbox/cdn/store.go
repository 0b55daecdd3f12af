package cdn

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// maxUpload is what an attachment may have; the apps send 100 MiB with what encryption adds.
	maxUpload = 128 << 20
	// maxStored bounds all that is kept: the oldest goes first, as on the live service after its time.
	maxStored = 1 << 30
	formLife  = 30 * time.Minute
)

// Store keeps objects. It is safe for concurrent use.
type Store struct {
	now    func() time.Time
	secret [32]byte // of forms
	base   string   // the URL before "/cdn0" and the like; set before the first call
	blobs  Blobs    // nil where objects are in memory alone; set before the first call

	mu      sync.Mutex
	objects map[string]*object // by CDN and key
	order   []string
	size    int64
	uploads map[string]*upload // under way, by CDN and key
}

type object struct {
	data   []byte
	stored time.Time
	etag   string
}

// New returns an empty store.
func New(now func() time.Time) *Store {
	s := &Store{
		now: now, objects: map[string]*object{}, uploads: map[string]*upload{},
	}
	_, _ = rand.Read(s.secret[:])
	return s
}

// SetBase says at which URL the store is reached, as clients see it; before the first call.
func (s *Store) SetBase(base string) { s.base = base }

// Handler serves one of the CDNs 0, 2 and 3.
func (s *Store) Handler(number int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case number == 0 && r.Method == http.MethodPost:
			s.postForm(w, r)
		case number == 2 && strings.HasPrefix(r.URL.Path, "/upload/"):
			s.resumable(w, r)
		case number == 3 && (r.Method == http.MethodPost || r.Header.Get("Tus-Resumable") != ""):
			s.tus(w, r)
		case r.Method == http.MethodGet || r.Method == http.MethodHead:
			s.download(w, r, number)
		default:
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// name is where an object is kept.
func name(number int, key string) string {
	return strconv.Itoa(number) + "/" + strings.TrimPrefix(key, "/")
}

// Put stores an object.
func (s *Store) Put(number int, key string, data []byte) { s.put(name(number, key), data) }

func (s *Store) put(at string, data []byte) {
	if s.blobs != nil {
		_ = s.blobs.PutBlob(at, data) // or else it is in memory alone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(at, data, s.now())
}

// keep needs mu.
func (s *Store) keep(at string, data []byte, stored time.Time) {
	if old := s.objects[at]; old != nil {
		s.size -= int64(len(old.data))
	} else {
		s.order = append(s.order, at)
	}
	hash := sha256.Sum256(data)
	s.objects[at] = &object{data: data, stored: stored, etag: `"` + hex.EncodeToString(hash[:16]) + `"`}
	s.size += int64(len(data))
	for s.size > maxStored && len(s.order) > 1 {
		s.drop(s.order[0])
	}
}

// Remove forgets an object.
func (s *Store) Remove(number int, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at := name(number, key); s.objects[at] != nil {
		s.drop(at)
	}
}

// drop needs mu, and the object.
func (s *Store) drop(at string) {
	s.order = slices.DeleteFunc(s.order, func(other string) bool { return other == at })
	s.size -= int64(len(s.objects[at].data))
	delete(s.objects, at)
	delete(s.uploads, at)
	if s.blobs != nil {
		s.blobs.RemoveBlob(at)
	}
}

// Get returns an object, nil where there is none.
func (s *Store) Get(number int, key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.objects[name(number, key)]; found != nil {
		return found.data
	}
	return nil
}

func (s *Store) download(w http.ResponseWriter, r *http.Request, number int) {
	s.mu.Lock()
	found := s.objects[name(number, r.URL.Path)]
	s.mu.Unlock()
	if found == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", found.etag)
	http.ServeContent(w, r, "", found.stored, bytes.NewReader(found.data))
}

// newKey is AttachmentUtil.generateAttachmentKey.
func newKey() string {
	random := make([]byte, 15)
	_, _ = rand.Read(random)
	return base64.RawURLEncoding.EncodeToString(random)
}

// ticket is leave to upload size bytes at most under a key, for a while.
func (s *Store) ticket(key string, size int64) string {
	payload := fmt.Sprintf("%s.%d.%d", key, size, s.now().Add(formLife).Unix())
	return payload + "." + s.sign(payload)
}

func (s *Store) sign(payload string) string {
	mac := hmac.New(sha256.New, s.secret[:])
	mac.Write([]byte(payload))
	return hex.EncodeToString(mac.Sum(nil))
}

// redeem checks a ticket for a key, and returns the size that it is for.
func (s *Store) redeem(ticket, key string) (size int64, ok bool) {
	parts := strings.Split(ticket, ".")
	if len(parts) != 4 || parts[0] != key {
		return 0, false
	}
	payload := strings.Join(parts[:3], ".")
	size, sizeErr := strconv.ParseInt(parts[1], 10, 64)
	expires, expiresErr := strconv.ParseInt(parts[2], 10, 64)
	ok = sizeErr == nil && expiresErr == nil && hmac.Equal([]byte(s.sign(payload)), []byte(parts[3])) &&
		s.now().Unix() <= expires
	return size, ok
}
