package cdn

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
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
	files  Files

	mu      sync.Mutex
	objects map[string]*object // by CDN and key
	order   []string
	size    int64
	uploads map[string]*upload // under way, and those that made objects, by CDN and key
	begun   []string           // what is under way, in order
}

type object struct {
	size   int64
	stored time.Time
	etag   string
}

// New returns an empty store with its objects in files.
func New(now func() time.Time, files Files) *Store {
	s := &Store{now: now, files: files, objects: map[string]*object{}, uploads: map[string]*upload{}}
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
func (s *Store) Put(number int, key string, data []byte) error {
	return s.PutFrom(number, key, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// PutFrom stores what is written, unless that fails.
func (s *Store) PutFrom(number int, key string, write func(io.Writer) error) error {
	part, err := s.files.NewPart()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(part, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		_ = os.Remove(part)
		return err
	}
	return s.store(name(number, key), part)
}

// store makes a part an object.
func (s *Store) store(at, part string) error {
	info, err := os.Stat(part)
	if err == nil {
		err = s.files.KeepPart(part, at)
	}
	if err != nil {
		_ = os.Remove(part)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(at, info)
	return nil
}

// keep needs mu.
func (s *Store) keep(at string, info fs.FileInfo) {
	if old := s.objects[at]; old != nil {
		s.size -= old.size
	} else {
		s.order = append(s.order, at)
	}
	hash := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", at, info.Size(), info.ModTime().UnixNano()))
	s.objects[at] = &object{info.Size(), info.ModTime(), `"` + hex.EncodeToString(hash[:16]) + `"`}
	s.size += info.Size()
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
	s.size -= s.objects[at].size
	delete(s.objects, at)
	delete(s.uploads, at)
	s.files.RemoveBlob(at)
}

// ErrNone is returned for an object that is not there.
var ErrNone = errors.New("the CDN does not have it")

// Open opens an object. The caller closes it.
func (s *Store) Open(number int, key string) (*os.File, error) {
	file, _, err := s.open(number, key)
	return file, err
}

func (s *Store) open(number int, key string) (*os.File, *object, error) {
	at := name(number, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.objects[at]
	if found == nil {
		return nil, nil, ErrNone
	}
	file, err := s.files.OpenBlob(at)
	return file, found, err
}

// Get returns an object, nil where there is none.
func (s *Store) Get(number int, key string) []byte {
	file, err := s.Open(number, key)
	if err != nil {
		return nil
	}
	defer file.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(file)
	if err != nil {
		return nil
	}
	return data
}

func (s *Store) download(w http.ResponseWriter, r *http.Request, number int) {
	file, found, err := s.open(number, r.URL.Path)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	defer file.Close() //nolint:errcheck // it was read
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", found.etag)
	http.ServeContent(w, r, "", found.stored, file)
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
