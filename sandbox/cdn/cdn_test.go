package cdn

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clocked is a store with a clock that can be set.
type clocked struct {
	*Store
	now time.Time
}

func newClocked() *clocked {
	c := &clocked{now: time.Unix(1_700_000_000, 0)}
	c.Store = New(func() time.Time { return c.now })
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
	c := newClocked()
	form := c.NewForm(3, 10)
	require.Equal(t, http.StatusCreated, c.ask(3, http.MethodPost, "/attachments", tusHeader(form, 10), nil).Code)
	c.now = c.now.Add(formLife + time.Second)
	require.Equal(t, http.StatusUnauthorized, c.ask(3, http.MethodPost, "/attachments", tusHeader(form, 10), nil).Code)
	forged := New(time.Now).NewForm(3, 10)
	require.Equal(t, http.StatusUnauthorized, c.ask(3, http.MethodPost, "/attachments", tusHeader(forged, 10), nil).Code)
}

func TestRanges(t *testing.T) {
	c := newClocked()
	c.Put(3, "attachments/k", []byte("0123456789"))
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
	c := newClocked()
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

// FuzzTus sends whatever may be headers of a tus upload, with a good token: never more is stored than was allowed.
func FuzzTus(f *testing.F) {
	f.Add(uint8(0), "10", "0", tusMediaType, []byte("0123456789"))
	f.Add(uint8(1), "10", "4", tusMediaType, []byte("456789"))
	f.Add(uint8(2), "-1", "x", "", []byte{})
	methods := []string{http.MethodPost, http.MethodPatch, http.MethodHead, http.MethodDelete}
	f.Fuzz(func(t *testing.T, method uint8, length, offset, mediaType string, body []byte) {
		c := newClocked()
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
		c := newClocked()
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
		c := newClocked()
		w := c.ask(0, http.MethodPost, "/", http.Header{"Content-Type": {contentType}}, body)
		require.Contains(t, []int{400, 403}, w.Code)
		require.Empty(t, c.objects)
	})
}
