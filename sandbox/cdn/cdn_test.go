package cdn

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"hash"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/disk"
)

// clocked is a store with a clock that can be set.
type clocked struct {
	*Store
	now time.Time
}

func newClocked(t testing.TB) *clocked {
	c := &clocked{now: time.Unix(1_700_000_000, 0)}
	c.Store = New(func() time.Time { return c.now }, disk.Open(t.TempDir()))
	c.SetBase("https://sandbox")
	return c
}

func (c *clocked) ask(number int, method, target string, header http.Header, body []byte) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, bytes.NewReader(body))
	r.Header, r.Host = header, c.host()
	w := httptest.NewRecorder()
	c.Handler(number).ServeHTTP(w, r)
	return w
}

func tusHeader(f Form, length int) http.Header {
	return http.Header{
		"Tus-Resumable": {tusVersion}, "Authorization": {f.Headers["Authorization"]},
		"Upload-Metadata": {f.Headers["Upload-Metadata"]}, "Upload-Length": {strconv.Itoa(length)},
		"Content-Type": {tusMediaType},
	}
}

func TestFormsExpire(t *testing.T) {
	c := newClocked(t)
	form := c.NewForm(3, 10)
	require.Equal(t, http.StatusCreated, c.ask(3, http.MethodPost, "/attachments", tusHeader(form, 10), nil).Code)
	c.now = c.now.Add(formLife + time.Second)
	require.Equal(t, http.StatusUnauthorized, c.ask(3, http.MethodPost, "/attachments", tusHeader(form, 10), nil).Code)
	forged := New(time.Now, nil).NewForm(3, 10)
	require.Equal(t, http.StatusUnauthorized, c.ask(3, http.MethodPost, "/attachments", tusHeader(forged, 10), nil).Code)
}

func TestRanges(t *testing.T) {
	c := newClocked(t)
	require.NoError(t, c.Put(3, "attachments/k", []byte("0123456789")))
	for wanted, want := range map[string]struct {
		status int
		body   string
	}{
		"": {200, "0123456789"}, "bytes=3-": {206, "3456789"}, "bytes=2-4": {206, "234"}, "bytes=10-": {416, ""},
	} {
		header := http.Header{}
		if wanted != "" {
			header.Set("Range", wanted)
		}
		w := c.ask(3, http.MethodGet, "/attachments/k", header, nil)
		require.Equal(t, want.status, w.Code, wanted)
		if want.status < 300 {
			require.Equal(t, want.body, w.Body.String())
		}
	}
	require.Equal(t, http.StatusNotFound, c.ask(3, http.MethodGet, "/attachments/j", http.Header{}, nil).Code)
	require.Equal(t, http.StatusMethodNotAllowed, c.ask(3, http.MethodDelete, "/attachments/k", http.Header{}, nil).Code)
}

// picture is S3's form, with the file last.
func picture(fields map[string]string, file []byte) (contentType string, body []byte) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for name, value := range fields {
		_ = w.WriteField(name, value)
	}
	part, _ := w.CreateFormFile("file", "f")
	_, _ = part.Write(file)
	_ = w.Close()
	return w.FormDataContentType(), out.Bytes()
}

func TestPolicyForms(t *testing.T) {
	c := newClocked(t)
	p, err := c.NewPolicy("groups/a", 4)
	require.NoError(t, err)
	form := func(name, value string) map[string]string {
		fields := map[string]string{
			"key": p.Key, "acl": p.ACL, "policy": p.Policy, "x-amz-algorithm": p.Algorithm, "x-amz-credential": p.Credential,
			"x-amz-date": p.Date, "x-amz-signature": p.Signature,
		}
		if fields[name] = value; name == "" {
			delete(fields, name)
		}
		return fields
	}
	other, err := json.Marshal(policyText{c.now.Add(time.Hour), "groups/b", 4})
	require.NoError(t, err)
	for _, test := range []struct {
		name   string
		fields map[string]string
		file   []byte
		status int
	}{
		{"good", form("", ""), []byte("1234"), 204},
		{"too large", form("", ""), []byte("12345"), 400},
		{"another key", form("key", "groups/b"), []byte("1"), 403},
		{"another policy", form("policy", base64.StdEncoding.EncodeToString(other)), []byte("1"), 403},
		{"policy that is none", form("policy", "!"), []byte("1"), 400},
		{"signature", form("x-amz-signature", p.Signature+"0"), []byte("1"), 403},
		{"acl", form("acl", "public"), []byte("1"), 403},
		{"algorithm", form("x-amz-algorithm", "x"), []byte("1"), 403},
		{"credential", form("x-amz-credential", "x"), []byte("1"), 403},
		{"date", form("x-amz-date", ""), []byte("1"), 403},
	} {
		contentType, body := picture(test.fields, test.file)
		w := c.ask(0, http.MethodPost, "/", http.Header{"Content-Type": {contentType}}, body)
		require.Equal(t, test.status, w.Code, test.name)
	}
	require.Equal(t, []byte("1234"), c.Get(0, "groups/a"))
	c.now = c.now.Add(formLife + time.Second)
	contentType, body := picture(form("", ""), []byte("1"))
	w := c.ask(0, http.MethodPost, "/", http.Header{"Content-Type": {contentType}}, body)
	require.Equal(t, http.StatusForbidden, w.Code, "expired")
	require.Equal(t, http.StatusBadRequest, c.ask(0, http.MethodPost, "/", http.Header{}, body).Code, "no form")
}

// What is complete stays so: the same again is answered, more is refused. Another upload in the place of one under way
// begins anew, and of many under way the oldest goes.
func TestUploads(t *testing.T) {
	files := t.TempDir()
	c := &clocked{now: time.Now()}
	c.Store = New(func() time.Time { return c.now }, disk.Open(files))
	parts := func() int {
		found, err := filepath.Glob(filepath.Join(files, "blobs", "*.part"))
		require.NoError(t, err)
		return len(found)
	}
	form := c.NewForm(3, 10)
	header := tusHeader(form, 10)
	require.Equal(t, 201, c.ask(3, http.MethodPost, "/attachments", header, []byte("0123")).Code)
	require.Equal(t, 1, parts())
	require.Equal(t, 201, c.ask(3, http.MethodPost, "/attachments", header, []byte("01")).Code)
	require.Equal(t, 1, parts())
	target := "/attachments/" + form.Key
	header.Set("Upload-Offset", "4")
	require.Equal(t, 409, c.ask(3, http.MethodPatch, target, header, []byte("456789")).Code)
	header.Set("Upload-Offset", "2")
	require.Equal(t, 204, c.ask(3, http.MethodPatch, target, header, []byte("23456789")).Code)
	require.Zero(t, parts())
	require.Equal(t, "0123456789", string(c.Get(3, target)))
	header.Set("Upload-Offset", "10")
	require.Equal(t, 204, c.ask(3, http.MethodPatch, target, header, nil).Code)
	require.Equal(t, 413, c.ask(3, http.MethodPatch, target, header, []byte("x")).Code)
	require.Equal(t, "10", c.ask(3, http.MethodHead, target, header, nil).Header().Get("Upload-Offset"))

	for range maxUploads + 5 {
		many := tusHeader(c.NewForm(3, 10), 10)
		require.Equal(t, 201, c.ask(3, http.MethodPost, "/attachments", many, []byte("0")).Code)
	}
	require.Equal(t, maxUploads, parts())
	again := New(time.Now, disk.Open(files))
	require.NoError(t, again.Load())
	require.Zero(t, parts(), "after a restart, uploads begin anew")
	require.Equal(t, "0123456789", string(again.Get(3, target)))
	require.Equal(t, c.objects, again.objects)
}

// A large upload and download take next to no memory.
func TestLargeObjects(t *testing.T) {
	const size = 32 << 20
	c := newClocked(t)
	form := c.NewForm(3, size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := httptest.NewRequest(http.MethodPost, "/attachments", io.LimitReader(rand.NewChaCha8([32]byte{}), size))
	r.Header = tusHeader(form, size)
	w := httptest.NewRecorder()
	c.Handler(3).ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code)
	r = httptest.NewRequest(http.MethodGet, "/attachments/"+form.Key, nil)
	hash := sha256.New()
	c.Handler(3).ServeHTTP(&hashed{httptest.NewRecorder(), hash}, r)
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	want := sha256.New()
	_, err := io.Copy(want, io.LimitReader(rand.NewChaCha8([32]byte{}), size))
	require.NoError(t, err)
	require.Equal(t, want.Sum(nil), hash.Sum(nil))
}

// hashed is an answer whose body is hashed.
type hashed struct {
	http.ResponseWriter
	hash hash.Hash
}

func (h *hashed) Write(p []byte) (int, error) { return h.hash.Write(p) }

// FuzzTus sends whatever may be headers of a tus upload, with a good token: never more is stored than was allowed.
func FuzzTus(f *testing.F) {
	f.Add(uint8(0), "10", "0", tusMediaType, []byte("0123456789"))
	f.Add(uint8(1), "10", "4", tusMediaType, []byte("456789"))
	f.Add(uint8(2), "-1", "x", "", []byte{})
	methods := []string{http.MethodPost, http.MethodPatch, http.MethodHead, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method uint8, length, offset, mediaType string, body []byte) {
		c := newClocked(t)
		form := c.NewForm(3, 10)
		header := tusHeader(form, 10)
		target := "/attachments/" + form.Key
		c.ask(3, http.MethodPost, "/attachments", header, []byte("0123"))
		header.Set("Upload-Length", length)
		header.Set("Upload-Offset", offset)
		header.Set("Content-Type", mediaType)
		w := c.ask(3, methods[int(method)%len(methods)], target, header, body)
		require.Less(t, w.Code, 500)
		require.LessOrEqual(t, len(c.Get(3, target)), 10)
	})
}

// FuzzResumable sends whatever may be headers of an upload to CDN 2, with a good ticket.
func FuzzResumable(f *testing.F) {
	f.Add("bytes 0-4/10", []byte("01234"))
	f.Add("bytes */10", []byte{})
	f.Add("bytes 9223372036854775807-/10", []byte("x"))
	f.Add("", []byte("0123456789"))
	f.Fuzz(func(t *testing.T, contentRange string, body []byte) {
		c := newClocked(t)
		form := c.NewForm(2, 10)
		target := form.Location[len("https://sandbox/cdn2"):]
		begun := c.ask(2, http.MethodPost, target, http.Header{
			"X-Goog-Resumable": {"start"}, "X-Goog-Content-Length-Range": {"1,10"},
		}, nil)
		require.Equal(t, http.StatusCreated, begun.Code)
		for range 2 {
			w := c.ask(2, http.MethodPut, target, http.Header{"Content-Range": {contentRange}}, body)
			require.Less(t, w.Code, 500)
		}
		require.LessOrEqual(t, len(c.Get(2, "attachments/"+form.Key)), 10)
	})
}

// FuzzPicture sends whatever may be a form: nothing is stored without a policy that was signed here.
func FuzzPicture(f *testing.F) {
	contentType, body := picture(map[string]string{"key": "k", "policy": "e30="}, []byte("data"))
	f.Add(contentType, body)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		c := newClocked(t)
		w := c.ask(0, http.MethodPost, "/", http.Header{"Content-Type": {contentType}}, body)
		require.Contains(t, []int{400, 403}, w.Code)
		require.Empty(t, c.objects)
	})
}
