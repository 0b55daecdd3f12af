// Package control is the side of a sandbox that the live service does not have: HTTP calls, on the service's own port,
// by which other programs learn how to reach it, make accounts, and have phones and contacts act.
//
//	GET  /description              the service, for the option --service of another signalbox
//	GET  /accounts                 whose phones the sandbox plays
//	POST /accounts                 another such account: {"number","name"}
//	POST /scan                     a phone scans a linking code: {"number","uri"}
//	POST /contacts/{number}/say    a contact writes: {"to","text"}
//	POST /register                 an account whose phone the caller is: Signal-Server's registration
//
// What is refused has a JSON body {"error"}, worded for people, but for registrations, which are refused as the live
// service does. Faults have a handler of their own, in package faults.
package control

import (
	"context"
	"errors"
	"net/http"

	"signalbox/sandbox/accounts"
	"signalbox/sandbox/wire"
)

// What calls fail with.
var (
	ErrUnknown = errors.New("no phone of the sandbox has this number")
	ErrMute    = errors.New("the account with this number is none of the contacts")
	ErrNobody  = errors.New("nobody in the sandbox has this number or service id, and the contact knows no such group")
)

// Account is one whose phone the sandbox plays.
type Account struct {
	Number string `json:"number"`
	ACI    string `json:"aci"`
	Name   string `json:"name"`
	// Does says what the contact does by itself, for people; empty for who does nothing.
	Does string `json:"does,omitempty"`
}

// Sandbox is what the calls act on.
type Sandbox interface {
	// Description is the service's, in JSON.
	Description() []byte
	PlayedAccounts() []Account
	// PlayAccount makes an account. accounts.ErrTaken.
	PlayAccount(number, name string) (Account, error)
	// Scan has the phone of a number scan a code. ErrUnknown.
	Scan(number, uri string) error
	// Say has the contact with a number write to a number, a service id, or a group by the base64 of its id, and returns
	// the message's timestamp. ErrUnknown, ErrMute, ErrNobody.
	Say(number, to, text string) (uint64, error)
}

// MaxBody bounds a request; a registration has some 20 kB.
const MaxBody = 64 << 10

// Routes adds the calls; the book is for accounts whose phones are elsewhere.
func Routes(rt *wire.Router, s Sandbox, book *accounts.Book) {
	c := &controller{sandbox: s, book: book}
	rt.Handle(http.MethodGet, "/description", wire.Anyone, c.description)
	rt.Handle(http.MethodGet, "/accounts", wire.Anyone, c.list)
	rt.Handle(http.MethodPost, "/accounts", wire.Anyone, c.create)
	rt.Handle(http.MethodPost, "/scan", wire.Anyone, c.scan)
	rt.Handle(http.MethodPost, "/contacts/{number}/say", wire.Anyone, c.say)
	rt.Handle(http.MethodPost, "/register", wire.Anyone, c.register)
}

type controller struct {
	sandbox Sandbox
	book    *accounts.Book
}

func (c *controller) description(context.Context, *wire.Request) (*wire.Response, error) {
	return &wire.Response{
		Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: c.sandbox.Description(),
	}, nil
}

func (c *controller) list(context.Context, *wire.Request) (*wire.Response, error) {
	return wire.JSON(map[string]any{"accounts": c.sandbox.PlayedAccounts()})
}

func (c *controller) create(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request newAccount
	if err := read(r.Body, &request); err != nil {
		return nil, refused(err)
	}
	account, err := c.sandbox.PlayAccount(request.Number, request.Name)
	if err != nil {
		return nil, refused(err)
	}
	return wire.JSON(account)
}

func (c *controller) scan(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request scan
	if err := read(r.Body, &request); err != nil {
		return nil, refused(err)
	}
	if err := c.sandbox.Scan(request.Number, request.URI); err != nil {
		return nil, refused(err)
	}
	return wire.NoContent()
}

func (c *controller) say(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request saying
	if err := read(r.Body, &request); err != nil {
		return nil, refused(err)
	}
	timestamp, err := c.sandbox.Say(r.Values["number"], request.To, request.Text)
	if err != nil {
		return nil, refused(err)
	}
	return wire.JSON(map[string]uint64{"timestamp": timestamp})
}

// register leaves accounts alone whose phones the sandbox plays: 403.
func (c *controller) register(ctx context.Context, r *wire.Request) (*wire.Response, error) {
	number, _, _, _ := wire.BasicAuth(r.Header)
	for _, played := range c.sandbox.PlayedAccounts() {
		if played.Number == number {
			return nil, wire.Refuse(http.StatusForbidden)
		}
	}
	return c.book.RegisterDevice(ctx, r)
}

// refused gives an error the status that fits it.
func refused(err error) error {
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, ErrUnknown), errors.Is(err, ErrNobody):
		status = http.StatusNotFound
	case errors.Is(err, accounts.ErrTaken), errors.Is(err, ErrMute):
		status = http.StatusConflict
	}
	return wire.RefuseWith(status, map[string]string{"error": err.Error()})
}
