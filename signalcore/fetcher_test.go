package signalcore

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/attachmentcipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/signalpb/storepb"
)

// shelf watches the world's CDN, which answers for some files only when it may.
type shelf struct {
	world *world
	held  sync.Map // of channels, by key
	asked chan string
}

func (w *world) newShelf() *shelf {
	s := &shelf{world: w, asked: make(chan string, 100)}
	w.files.Store(s)
	return s
}

func (w *world) aroundCDN(next http.Handler) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if s := w.files.Load(); s != nil {
			s.await(r)
		}
		next.ServeHTTP(out, r)
	})
}

func (s *shelf) await(r *http.Request) {
	key := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	s.asked <- key
	if until, held := s.held.Load(key); held {
		select {
		case <-until.(chan struct{}):
		case <-r.Context().Done():
		}
	}
}

// put encrypts a file onto the CDN, and returns what points to it.
func (s *shelf) put(t testing.TB, key string, data []byte) content.Attachment {
	t.Helper()
	secret, err := attachmentcipher.GenerateKey(rand.Reader)
	require.NoError(t, err)
	var encrypted bytes.Buffer
	result, err := attachmentcipher.Encrypt(&encrypted, bytes.NewReader(data), attachmentcipher.EncryptOptions{
		Key: secret, Size: int64(len(data)), Random: rand.Reader,
	})
	require.NoError(t, err)
	s.world.CDN.Put(3, "attachments/"+key, encrypted.Bytes())
	return content.Attachment{
		CDNNumber: 3, CDNKey: key, Key: secret[:], Digest: result.Digest[:], Size: uint32(len(data)), ContentType: "text/plain",
	}
}

func attached(attachments ...content.Attachment) *content.Message {
	return &content.Message{Text: "see attachment", Attachments: attachments}
}

// fetches runs the party's fetcher until the end of the test.
func (p *party) fetches() {
	p.t.Helper()
	p.connect()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { p.fetcher.run(ctx) })
	p.t.Cleanup(func() { cancel(); running.Wait() })
}

func (p *party) receivesAttachments(wait bool) []model.InboxMessage {
	p.t.Helper()
	ctx, cancel := contextOf(p.t)
	defer cancel()
	messages, err := p.Receive(ctx, model.ReceiveOptions{
		Owner: 1, Max: 10, Types: []model.MessageType{model.TypeMessage}, Attachments: wait,
	})
	require.NoError(p.t, err)
	return messages
}

func TestAttachmentsAreFetched(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	shelf := alice.world.newShelf()
	data := []byte("the picture")
	lost := shelf.put(t, "kept", []byte("x"))
	lost.CDNKey = "lost"
	l := newLetter(alice, bob)
	body, err := content.NewMessage(content.Common{Timestamp: l.timestamp}, *attached(
		shelf.put(t, "first", data), shelf.put(t, "empty", nil), lost))
	require.NoError(t, err)
	bob.fetches()
	bob.gets(l.content(body))
	messages := bob.receivesAttachments(true)
	require.Len(t, messages, 1)
	got := messages[0].Attachments
	require.Len(t, got, 3)
	for i, want := range [][]byte{data, {}} {
		require.True(t, got[i].Ready, got[i].ErrorMessage)
		reader, err := got[i].Data.Open()
		require.NoError(t, err)
		read, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		require.Equal(t, want, read)
	}
	require.False(t, got[2].Ready)
	require.NotEmpty(t, got[2].ErrorMessage)
}

func TestLargeFilesLeaveRoomForSmallOnes(t *testing.T) {
	t.Parallel()
	alice, bob := pair(t)
	shelf := alice.world.newShelf()
	release := make(chan struct{})
	bob.fetches()
	for _, key := range []string{"large1", "large2", "large3"} {
		l := newLetter(alice, bob)
		shelf.held.Store(key, release)
		pointer := shelf.put(t, key, make([]byte, largeFetch+1))
		body, err := content.NewMessage(content.Common{Timestamp: l.timestamp}, *attached(pointer))
		require.NoError(t, err)
		bob.gets(l.content(body))
	}
	for range fetchesAtOnce - 1 {
		require.Contains(t, await(t, shelf.asked, func(string) bool { return true }), "large")
	}
	l := newLetter(alice, bob)
	body, err := content.NewMessage(content.Common{Timestamp: l.timestamp}, *attached(shelf.put(t, "small", []byte("s"))))
	require.NoError(t, err)
	bob.gets(l.content(body))
	require.Equal(t, "small", await(t, shelf.asked, func(string) bool { return true }), "the third large one waits")
	close(release)
	await(t, shelf.asked, func(key string) bool { return strings.HasPrefix(key, "large") })
	messages := bob.receivesAttachments(true)
	require.Len(t, messages, 4)
	for _, m := range messages {
		require.True(t, m.Attachments[0].Ready)
	}
}

// TestAttachmentsAreTriedForTwoDays is what docs/delivery.md promises.
func TestAttachmentsAreTriedForTwoDays(t *testing.T) {
	t.Parallel()
	alice, _ := pair(t)
	begin := alice.clock.Now()
	a := &storepb.Attachment{}
	for a.GetState() != storepb.AttachmentState_ATTACHMENT_FAILED {
		alice.clock.advance(max(0, time.UnixMilli(a.GetNextAttempt()).Sub(alice.clock.Now())))
		alice.fetcher.putOff(a, errors.New("no answer"))
	}
	require.InDelta(t, 48, alice.clock.Now().Sub(begin).Hours(), 4)
}
