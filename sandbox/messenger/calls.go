package messenger

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"signalbox/sandbox/wire"
)

// StatusError is returned for a call that the service refuses.
type StatusError struct {
	Call   string
	Status int
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: status %d", e.Call, e.Status) }

// errNoAnswer is returned for a call that gets none.
var errNoAnswer = fmt.Errorf("the service does not answer")

// call makes a call; by itself it is nobody's.
func (m *Messenger) call(r *wire.Request) (*wire.Response, error) {
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if r.Query == nil {
		r.Query = url.Values{}
	}
	response := m.world.Call(context.Background(), r)
	if response == nil {
		return nil, errNoAnswer
	}
	if response.Status < 200 || response.Status > 299 {
		return response, &StatusError{Call: r.Method + " " + shortPath(r.Path), Status: response.Status}
	}
	return response, nil
}

// shortPath leaves out whom a call is about.
func shortPath(path string) string {
	const most = 24
	if len(path) > most {
		return path[:most] + "…"
	}
	return path
}

// callJSON makes a call of the device, with an optional body, and reads the answer into an optional value.
func (m *Messenger) callJSON(r *wire.Request, body, into any) error {
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r.Body = data
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Set("Content-Type", wire.MediaTypeJSON)
	}
	response, err := m.call(r)
	if err != nil || into == nil {
		return err
	}
	if err := json.Unmarshal(response.Body, into); err != nil {
		return fmt.Errorf("%s: %w", r.Method+" "+shortPath(r.Path), err)
	}
	return nil
}

// own is a call of the device.
func (m *Messenger) own(method, path string, query url.Values) *wire.Request {
	device := m.device()
	return &wire.Request{Method: method, Path: path, Query: query, By: &device}
}
