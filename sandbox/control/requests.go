package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"signalbox/sandbox/accounts"
)

// ErrRequest is returned for a body that is no request.
var ErrRequest = errors.New("not a request of the sandbox's control endpoint")

const (
	maxName = 26 // Signal's, of a given name
	maxURI  = 1 << 10
	maxTo   = 128
	maxText = 2000
)

// newAccount is the body of POST /accounts.
type newAccount struct {
	Number string `json:"number"`
	Name   string `json:"name"`
}

func (n *newAccount) check() error {
	switch {
	case !accounts.ValidNumber(n.Number):
		return fmt.Errorf(`%w: "number" has to be like +12025550123`, ErrRequest)
	case n.Name == "" || utf8.RuneCountInString(n.Name) > maxName:
		return fmt.Errorf(`%w: "name" has to have 1 to %d characters`, ErrRequest, maxName)
	}
	return nil
}

// scan is the body of POST /scan.
type scan struct {
	Number string `json:"number"`
	URI    string `json:"uri"`
}

func (s *scan) check() error {
	if s.Number == "" || s.URI == "" || len(s.URI) > maxURI {
		return fmt.Errorf(`%w: it takes "number", of the phone, and "uri", sgnl://linkdevice?…`, ErrRequest)
	}
	return nil
}

// saying is the body of POST /contacts/{number}/say.
type saying struct {
	To   string `json:"to"`
	Text string `json:"text"`
}

func (s *saying) check() error {
	if s.To == "" || len(s.To) > maxTo || s.Text == "" || len(s.Text) > maxText {
		return fmt.Errorf(`%w: it takes "to" and "text", of up to %d bytes`, ErrRequest, maxText)
	}
	return nil
}

// read takes one JSON object, all of whose fields are known. ErrRequest.
func read(body []byte, into interface{ check() error }) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", ErrRequest, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows it", ErrRequest)
	}
	return into.check()
}
