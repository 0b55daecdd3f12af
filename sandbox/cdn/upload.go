package cdn

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// upload is an object on its way: what has arrived of it, whether or not the connection held.
type upload struct {
	mu   sync.Mutex // held while a part arrives
	data []byte
	size int64 // of the whole; -1 while that is not known
}

// errTooMuch is returned for more bytes than were announced.
var errTooMuch = errors.New("more than was announced")

// take appends what arrives, up to the size. What arrived before a connection broke stays.
func (u *upload) take(body io.Reader, limit int64) error {
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		if int64(len(u.data)+n) > limit {
			return errTooMuch
		}
		u.data = append(u.data, buffer[:n]...)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

const (
	tusVersion   = "1.0.0"
	tusMediaType = "application/offset+octet-stream"
)

// tus is an upload to CDN 3: POST creates it, perhaps with a first part, HEAD asks how far it is, PATCH goes on.
func (s *Store) tus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Tus-Resumable", tusVersion)
	if r.Header.Get("Tus-Resumable") != tusVersion {
		w.WriteHeader(http.StatusPreconditionFailed)
		return
	}
	key := tusKey(r)
	ticket, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	limit, ok := s.redeem(ticket, key)
	if !ok {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method {
	case http.MethodPost:
		s.tusCreate(w, r, key, limit)
	case http.MethodHead:
		s.tusHead(w, key)
	case http.MethodPatch:
		s.tusPatch(w, r, key)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// tusKey is the last part of the path, and for a creation the file name of the metadata.
func tusKey(r *http.Request) string {
	if r.Method != http.MethodPost {
		return r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	}
	for _, pair := range strings.Split(r.Header.Get("Upload-Metadata"), ",") {
		encoded, found := strings.CutPrefix(strings.TrimSpace(pair), "filename ")
		if key, err := base64.StdEncoding.DecodeString(encoded); found && err == nil {
			return string(key)
		}
	}
	return ""
}

func (s *Store) tusCreate(w http.ResponseWriter, r *http.Request, key string, limit int64) {
	size, err := strconv.ParseInt(r.Header.Get("Upload-Length"), 10, 64)
	switch {
	case err != nil || size < 0:
		w.WriteHeader(http.StatusBadRequest)
		return
	case size > limit:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	at := name(3, "attachments/"+key)
	u := &upload{size: size}
	u.mu.Lock()
	defer u.mu.Unlock()
	s.mu.Lock()
	s.uploads[at] = u
	s.mu.Unlock()
	w.Header().Set("Location", s.base+"/cdn3/attachments/"+key)
	if r.Header.Get("Content-Type") == tusMediaType && !s.tusTake(w, r, at, u) {
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// tusTake takes the body and says where the upload is now. False: it answered itself.
func (s *Store) tusTake(w http.ResponseWriter, r *http.Request, at string, u *upload) bool {
	switch err := u.take(r.Body, u.size); {
	case errors.Is(err, errTooMuch):
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return false
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
		return false
	}
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	s.finish(at, u)
	return true
}

// finish stores what is complete. It needs u.mu.
func (s *Store) finish(at string, u *upload) {
	if int64(len(u.data)) != u.size {
		return
	}
	s.put(at, u.data)
}

// under finds an upload under way.
func (s *Store) under(at string) *upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.uploads[at]
}

func (s *Store) tusHead(w http.ResponseWriter, key string) {
	u := s.under(name(3, "attachments/"+key))
	if u == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	w.Header().Set("Upload-Offset", strconv.Itoa(len(u.data)))
	w.Header().Set("Upload-Length", strconv.FormatInt(u.size, 10))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
}

func (s *Store) tusPatch(w http.ResponseWriter, r *http.Request, key string) {
	at := name(3, "attachments/"+key)
	u := s.under(at)
	switch {
	case u == nil:
		w.WriteHeader(http.StatusNotFound)
		return
	case r.Header.Get("Content-Type") != tusMediaType:
		w.WriteHeader(http.StatusUnsupportedMediaType)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if r.Header.Get("Upload-Offset") != strconv.Itoa(len(u.data)) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	if s.tusTake(w, r, at, u) {
		w.WriteHeader(http.StatusNoContent)
	}
}

// resumable is an upload to CDN 2: POST begins a session, PUT to its place sends or asks how far it is.
func (s *Store) resumable(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(r.URL.Path, "/upload/")
	limit, ok := s.redeem(r.URL.Query().Get("ticket"), key)
	if !ok {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	at := name(2, "attachments/"+key)
	switch r.Method {
	case http.MethodPost:
		if !s.signed(r, limit) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		s.mu.Lock()
		s.uploads[at] = &upload{size: -1}
		s.mu.Unlock()
		w.Header().Set("Location", fmt.Sprintf("%s/cdn2%s?%s", s.base, r.URL.Path, r.URL.RawQuery))
		w.WriteHeader(http.StatusCreated)
	case http.MethodPut:
		s.resume(w, r, at, limit)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (s *Store) resume(w http.ResponseWriter, r *http.Request, at string, limit int64) {
	u := s.under(at)
	if u == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	from, size, asks, ok := putRange(r)
	switch {
	case !ok || !asks && from > int64(len(u.data)):
		w.WriteHeader(http.StatusBadRequest)
		return
	case size > limit:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	u.size = size
	if !asks {
		u.data = u.data[:from]
		if u.take(r.Body, size) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
	}
	if int64(len(u.data)) == size {
		s.finish(at, u)
		w.WriteHeader(http.StatusOK)
		return
	}
	if len(u.data) > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", len(u.data)-1))
	}
	w.WriteHeader(http.StatusPermanentRedirect)
}

// putRange reads what part of how much a request has: all of it without the header, none in "bytes */9".
func putRange(r *http.Request) (from, size int64, asks, ok bool) {
	value := r.Header.Get("Content-Range")
	if value == "" {
		return 0, r.ContentLength, false, r.ContentLength >= 0
	}
	rest, found := strings.CutPrefix(value, "bytes ")
	span, total, sized := strings.Cut(rest, "/")
	size, err := strconv.ParseInt(total, 10, 64)
	if !found || !sized || err != nil || size < 0 {
		return 0, 0, false, false
	}
	if span == "*" {
		return 0, size, true, true
	}
	first, _, _ := strings.Cut(span, "-")
	from, err = strconv.ParseInt(first, 10, 64)
	return from, size, false, err == nil && from >= 0
}
