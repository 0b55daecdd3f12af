package signalcore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content/attachmentcipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	fetchesAtOnce = 3
	fetchBatch    = 64
	largeFetch    = 4 << 20
	// maxFetches is how often an attachment is tried before it is given up: about two days.
	maxFetches      = 19
	firstFetchRetry = 15 * time.Second
	longestFetch    = 6 * time.Hour
	fetchTimeout    = 30 * time.Minute
)

// fetcher downloads the attachments of received messages in the background.
type fetcher struct {
	*Client
	wakeup chan struct{}

	mu      sync.Mutex
	active  map[string]int64 // what is being fetched, and its size
	settled chan struct{}    // closed and replaced whenever an attachment is there, or given up
}

func newFetcher(c *Client) *fetcher {
	return &fetcher{Client: c, wakeup: make(chan struct{}, 1), active: make(map[string]int64), settled: make(chan struct{})}
}

func (f *fetcher) wake() {
	select {
	case f.wakeup <- struct{}{}:
	default:
	}
}

// run fetches until ctx ends.
func (f *fetcher) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for ctx.Err() == nil {
		rest := outboxIdle
		if f.connector.connected() {
			rest = f.start(ctx, &running)
		}
		waitFor(ctx, f.wakeup, rest)
	}
}

// start begins to fetch what is due, as far as there is room, and returns how long to rest. Each fetch wakes run when it
// ends.
func (f *fetcher) start(ctx context.Context, running *sync.WaitGroup) time.Duration {
	due, rest, err := f.due()
	if err != nil {
		f.log.Error().Err(err).Msg("attachments to fetch cannot be listed")
		return outboxRetry
	}
	for _, a := range due {
		if !f.begin(a) {
			continue
		}
		running.Go(func() {
			defer f.end(a)
			f.fetch(ctx, a)
		})
	}
	return rest
}

// begin takes a place for a fetch, if there is one. Large files leave a place for small ones, which would wait long.
func (f *fetcher) begin(a *storepb.Attachment) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	large := 0
	for _, size := range f.active {
		if size > largeFetch {
			large++
		}
	}
	_, already := f.active[a.GetId()]
	if already || len(f.active) == fetchesAtOnce || a.GetSize() > largeFetch && large == fetchesAtOnce-1 {
		return false
	}
	f.active[a.GetId()] = a.GetSize()
	return true
}

func (f *fetcher) end(a *storepb.Attachment) {
	f.mu.Lock()
	delete(f.active, a.GetId())
	f.mu.Unlock()
	f.wake()
}

func (f *fetcher) due() (due []*storepb.Attachment, rest time.Duration, err error) {
	now := f.config.Now().UnixMilli()
	rest = outboxIdle
	err = f.store.View(func(tx *store.Tx) error {
		waiting, err := tx.DueAttachments(fetchBatch)
		for _, a := range waiting {
			if a.GetNextAttempt() <= now {
				due = append(due, a)
			} else {
				rest = min(rest, time.Duration(a.GetNextAttempt()-now)*time.Millisecond)
			}
		}
		return err
	})
	return due, rest, err
}

// fetch tries one attachment, and keeps how that went.
func (f *fetcher) fetch(ctx context.Context, a *storepb.Attachment) {
	limited, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	began := f.config.Now()
	size, err := f.download(limited, a)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		f.log.Info().Err(err).Str("attachment", a.GetId()).Msg("attachment not fetched")
	} else {
		f.log.Info().Str("attachment", a.GetId()).Int64("bytes", size).
			Stringer("took", f.config.Now().Sub(began).Round(time.Millisecond)).Msg("attachment fetched")
	}
	if err := f.settle(a, size, err); err != nil {
		f.log.Error().Err(err).Msg("the outcome of a download was not kept")
		pause(ctx, outboxRetry)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.settled)
	f.settled = make(chan struct{})
}

func (f *fetcher) download(ctx context.Context, a *storepb.Attachment) (int64, error) {
	var pointer servicepb.AttachmentPointer
	if err := proto.Unmarshal(a.GetPointer(), &pointer); err != nil {
		return 0, err
	}
	if err := f.store.RoomForFiles(int64(pointer.GetSize())); err != nil {
		return 0, err
	}
	temp, err := f.store.CreateTemp()
	if err != nil {
		return 0, err
	}
	if err := f.downloadAttachment(ctx, &pointer, temp); err != nil {
		removeTemp(temp)
		return 0, err
	}
	return int64(pointer.GetSize()), f.store.AdoptAttachment(temp, a.GetId())
}

// settle keeps the outcome. An attachment whose message has gone meanwhile is dropped.
func (f *fetcher) settle(a *storepb.Attachment, size int64, outcome error) error {
	return f.store.Update(func(tx *store.Tx) error {
		current, err := tx.Attachment(a.GetId())
		if errors.Is(err, store.ErrNotFound) {
			path, err := f.store.AttachmentPath(a.GetId())
			if err == nil {
				tx.OnCommit(func() { _ = os.Remove(path) })
			}
			return err
		}
		if err != nil {
			return err
		}
		if outcome == nil {
			current.State, current.Size, current.DoneAt = storepb.AttachmentState_ATTACHMENT_DONE, size, tx.Now().UnixMilli()
			current.Error = ""
			if err := f.inbox.Grow(tx, current.GetInboxSeq(), size); err != nil {
				return err
			}
			return tx.PutAttachment(current)
		}
		f.putOff(current, outcome)
		return tx.PutAttachment(current)
	})
}

// putOff decides when an attachment is tried again, if ever.
func (f *fetcher) putOff(a *storepb.Attachment, outcome error) {
	if isDiskTrouble(outcome) { // not the attachment's fault
		a.NextAttempt = f.config.Now().Add(time.Minute).UnixMilli()
		return
	}
	a.Attempts++
	a.Error = "this attachment could not be fetched: " + outcome.Error()
	hopeless := errors.Is(outcome, cdn.ErrNotFound) || errors.Is(outcome, errTooLarge) ||
		errors.Is(outcome, attachmentcipher.ErrCorrupt) && a.Attempts >= 3
	if hopeless || a.Attempts >= maxFetches {
		a.State, a.StatusCode = storepb.AttachmentState_ATTACHMENT_FAILED, statusParsingError
		return
	}
	wait := min(firstFetchRetry<<min(a.Attempts-1, 20), longestFetch)
	a.NextAttempt = f.config.Now().Add(wait).UnixMilli()
}

// await returns when an attachment is there or given up, or when ctx ends. One that failed and waits for its next
// attempt is not waited for.
func (f *fetcher) await(ctx context.Context, id string) {
	for {
		f.mu.Lock()
		settled := f.settled
		f.mu.Unlock()
		var a *storepb.Attachment
		err := f.store.View(func(tx *store.Tx) (err error) {
			a, err = tx.Attachment(id)
			return err
		})
		if err != nil || a.GetState() == storepb.AttachmentState_ATTACHMENT_DONE ||
			a.GetState() == storepb.AttachmentState_ATTACHMENT_FAILED || a.GetAttempts() > 0 {
			return
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return
		}
	}
}

// Attachment implements commands.Inbox.
func (c *Client) Attachment(_ context.Context, id string) (model.StoredAttachment, error) {
	var out model.StoredAttachment
	err := c.store.View(func(tx *store.Tx) (err error) {
		out, err = c.readers.attachment(tx, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return out, fmt.Errorf("no message in the inbox has such an attachment (any more): %w", model.ErrNotFound)
	}
	return out, storageError(err)
}

// attachment turns a record into what the commands show.
func (r *readers) attachment(tx *store.Tx, id string) (model.StoredAttachment, error) {
	record, err := tx.Attachment(id)
	if err != nil {
		return model.StoredAttachment{}, err
	}
	out := model.StoredAttachment{ID: id, ContentType: record.GetContentType(), ErrorMessage: record.GetError()}
	var pointer servicepb.AttachmentPointer
	if err := proto.Unmarshal(record.GetPointer(), &pointer); err == nil {
		out.Filename = pointer.GetFileName()
	}
	if record.GetState() != storepb.AttachmentState_ATTACHMENT_DONE {
		return out, nil
	}
	path, err := r.store.AttachmentPath(id)
	if err != nil {
		return out, err
	}
	out.Ready, out.ErrorMessage = true, ""
	out.Data = model.Blob{Size: record.GetSize(), Open: func() (io.ReadCloser, error) { return os.Open(path) }}
	return out, nil
}
