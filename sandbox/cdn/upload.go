package cdn

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// upload is an object on its way: what has arrived of it, whether or not the connection held.
type upload struct {
	part string // the file

	mu   sync.Mutex // held while a part arrives
	at   int64      // what has arrived
	size int64      // of the whole; -1 while that is not known
	done bool       // it is an object now
}

var (
	// errTooMuch is returned for more bytes than were announced.
	errTooMuch = errors.New("more than was announced")
	// errDisk is returned for what cannot be written.
	errDisk = errors.New("the disk does not take it")
)

// maxUploads is how many may be under way; the oldest goes for another.
const maxUploads = 256

// begin makes an upload, in the place of one that was under way there.
func (s *Store) begin(at string, size int64) (*upload, error) {
	part, err := s.files.NewPart()
	if err != nil {
		return nil, err
	}
	u := &upload{part: part, size: size}
	s.mu.Lock()
	var over []*upload
	if former := s.uploads[at]; former != nil {
		over = append(over, former)
	}
	s.begun = append(slices.DeleteFunc(s.begun, func(other string) bool { return other == at }), at)
	s.uploads[at] = u
	if len(s.begun) > maxUploads {
		oldest := s.begun[0]
		over = append(over, s.uploads[oldest])
		s.begun = s.begun[1:]
		delete(s.uploads, oldest)
	}
	s.mu.Unlock()
	for _, gone := range over {
		_ = os.Remove(gone.part) // unless it is an object already
	}
	return u, nil
}

// take writes what arrives behind the first bytes, up to the limit. What arrived before a connection broke stays.
func (u *upload) take(body io.Reader, from, limit int64) error {
	if u.done {
		if n, _ := io.Copy(io.Discard, io.LimitReader(body, 1)); n > 0 {
			return errTooMuch
		}
		return nil
	}
	file, err := os.OpenFile(u.part, os.O_WRONLY, 0)
	if err != nil {
		return errors.Join(errDisk, err)
	}
	defer file.Close() //nolint:errcheck // store sees to it that all is there
	if err := file.Truncate(from); err != nil {
		return errors.Join(errDisk, err)
	}
	u.at = from
	buffer := make([]byte, 64<<10)
	for {
		n, err := body.Read(buffer)
		if u.at+int64(n) > limit {
			return errTooMuch
		}
		if _, err := file.WriteAt(buffer[:n], u.at); err != nil {
			return errors.Join(errDisk, err)
		}
		u.at += int64(n)
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
	u, err := s.begin(at, size)
	if err != nil {
		w.WriteHeader(http.StatusInsufficientStorage)
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	w.Header().Set("Location", s.base+"/cdn3/attachments/"+key)
	if r.Header.Get("Content-Type") == tusMediaType && !s.tusTake(w, r, at, u) {
		return
	}
	w.WriteHeader(http.StatusCreated)
}

// tusTake takes the body and says where the upload is now. False: it answered itself.
func (s *Store) tusTake(w http.ResponseWriter, r *http.Request, at string, u *upload) bool {
	if err := s.take(r.Body, at, u, u.at); err != nil {
		w.WriteHeader(statusOf(err))
		return false
	}
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.at, 10))
	return true
}

// take has an upload take a body, and stores it where it is complete. It needs u.mu.
func (s *Store) take(body io.Reader, at string, u *upload, from int64) error {
	if err := u.take(body, from, u.size); err != nil {
		return err
	}
	if u.at != u.size || u.done {
		return nil
	}
	if err := s.store(at, u.part); err != nil {
		return errors.Join(errDisk, err)
	}
	u.done = true
	s.mu.Lock()
	defer s.mu.Unlock()
	s.begun = slices.DeleteFunc(s.begun, func(other string) bool { return other == at })
	return nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, errTooMuch):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, errDisk):
		return http.StatusInsufficientStorage
	}
	return http.StatusBadRequest
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
	w.Header().Set("Upload-Offset", strconv.FormatInt(u.at, 10))
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
	if r.Header.Get("Upload-Offset") != strconv.FormatInt(u.at, 10) {
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
		if _, err := s.begin(at, -1); err != nil {
			w.WriteHeader(http.StatusInsufficientStorage)
			return
		}
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
	case !ok || !asks && from > u.at:
		w.WriteHeader(http.StatusBadRequest)
		return
	case size > limit:
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	if u.done {
		w.WriteHeader(http.StatusOK)
		return
	}
	u.size = size
	if !asks {
		if err := s.take(r.Body, at, u, from); err != nil {
			status := http.StatusBadRequest
			if errors.Is(err, errDisk) {
				status = http.StatusInsufficientStorage
			}
			w.WriteHeader(status)
			return
		}
	}
	if u.at == size {
		w.WriteHeader(http.StatusOK)
		return
	}
	if u.at > 0 {
		w.Header().Set("Range", fmt.Sprintf("bytes=0-%d", u.at-1))
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
