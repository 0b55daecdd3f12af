package wire

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"
)

// Break is where in a call its connection ends.
type Break int

const (
	// Unbroken is for calls that get their answer.
	Unbroken Break = iota
	// BreakBefore ends the connection before the call is handled.
	BreakBefore
	// BreakAfter ends it when the call is handled, before the answer.
	BreakAfter
	// BreakMiddle ends it in the middle of a frame: of the answer, or of what is uploaded.
	BreakMiddle
)

// Fate is what befalls a call: it is late, refused in place of an answer, or its connection ends.
type Fate struct {
	Delay   time.Duration
	Refusal *Refusal
	Break   Break
}

// Interceptor tells a call's fate; nil for those that nothing befalls.
type Interceptor func(r *Request) *Fate

// Intercept adds an interceptor, before the first call. The first that knows a fate counts.
func (rt *Router) Intercept(i Interceptor) { rt.before = append(rt.before, i) }

// Surrounding stands around a call, whatever befalls it: next answers the call, nil where it gets no answer.
type Surrounding func(r *Request, next func() *Response) *Response

// Surround puts something around all calls, before the first.
func (rt *Router) Surround(around Surrounding) { rt.around = around }

func (rt *Router) fate(r *Request) *Fate {
	for _, i := range rt.before {
		if fate := i(r); fate != nil {
			return fate
		}
	}
	return nil
}

// befall has next answer a call, as far as its fate lets it; nil is a call without an answer, whose connection is to be
// cut.
func (rt *Router) befall(ctx context.Context, r *Request, next func() *Response) *Response {
	if rt.around == nil {
		return rt.befallen(ctx, r, next)
	}
	return rt.around(r, func() *Response { return rt.befallen(ctx, r, next) })
}

func (rt *Router) befallen(ctx context.Context, r *Request, next func() *Response) *Response {
	fate := rt.fate(r)
	if fate == nil {
		return next()
	}
	if !fate.wait(ctx.Done()) || fate.Break == BreakBefore {
		return nil
	}
	if fate.Refusal != nil {
		return fate.Refusal.response()
	}
	response := next()
	switch {
	case fate.Break == BreakAfter:
		return nil
	case fate.Break == BreakMiddle && response != nil:
		response.broken = true
	}
	return response
}

// wait lets the delay pass. False: the caller is gone.
func (f *Fate) wait(gone <-chan struct{}) bool {
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-gone:
		return false
	}
}

// Exposed is a handler whose calls have the fates that an interceptor tells, as those of a router have.
func Exposed(handler http.Handler, i Interceptor) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fate := i(&Request{Method: r.Method, Path: asked(r), Query: r.URL.Query(), Header: r.Header})
		if fate == nil {
			handler.ServeHTTP(w, r)
			return
		}
		l := lineOf(r.Context())
		switch {
		case !fate.wait(r.Context().Done()) || fate.Break == BreakBefore:
		case fate.Refusal != nil:
			write(w, r, fate.Refusal.response())
			return
		case fate.Break == Unbroken:
			handler.ServeHTTP(w, r)
			return
		case fate.Break == BreakAfter:
			handler.ServeHTTP(&unheard{header: http.Header{}}, r)
		case r.ContentLength > 1:
			r.Body = io.NopCloser(io.MultiReader(io.LimitReader(r.Body, r.ContentLength/2), brokenReader{l}))
			handler.ServeHTTP(&unheard{header: http.Header{}}, r)
		default:
			handler.ServeHTTP(&breakingWriter{ResponseWriter: w, line: l}, r)
		}
		abort(l)
	})
}

// abort ends the connection of a handler, which ends too.
func abort(l *line) {
	l.cut()
	panic(http.ErrAbortHandler)
}

// unheard takes an answer that nobody gets.
type unheard struct{ header http.Header }

func (u *unheard) Header() http.Header         { return u.header }
func (u *unheard) WriteHeader(int)             {}
func (u *unheard) Write(p []byte) (int, error) { return len(p), nil }

// brokenReader is where the connection ends.
type brokenReader struct{ line *line }

func (b brokenReader) Read([]byte) (int, error) {
	b.line.cut()
	return 0, io.ErrUnexpectedEOF
}

// breakingWriter ends the connection half way through an answer whose length is known, at the beginning of others.
type breakingWriter struct {
	http.ResponseWriter
	line    *line
	started bool
	left    int64 // until then
}

func (b *breakingWriter) WriteHeader(status int) {
	b.started = true
	size, _ := strconv.ParseInt(b.Header().Get("Content-Length"), 10, 64)
	if b.left = size / 2; b.left == 0 {
		b.line.halve()
	}
	b.ResponseWriter.WriteHeader(status)
	b.flush()
}

func (b *breakingWriter) Write(p []byte) (int, error) {
	if !b.started {
		b.WriteHeader(http.StatusOK)
	}
	if int64(len(p)) < b.left {
		b.left -= int64(len(p))
		return b.ResponseWriter.Write(p)
	}
	n, err := b.ResponseWriter.Write(p[:b.left])
	b.flush()
	b.line.halve()
	if err == nil {
		var rest int
		rest, err = b.ResponseWriter.Write(p[n:])
		b.flush()
		n += rest
	}
	return n, err
}

func (b *breakingWriter) flush() {
	if flusher, ok := b.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
