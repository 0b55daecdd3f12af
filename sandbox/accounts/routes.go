package accounts

import (
	"context"
	"net/http"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// Routes adds the calls of this package.
func (b *Book) Routes(rt *wire.Router) {
	b.KeepAliveRoutes(rt)
	rt.Handle(http.MethodDelete, "/v1/accounts/me", wire.DeviceOnly, b.deleteAccount)
	rt.Handle(http.MethodGet, "/v1/accounts/whoami", wire.DeviceOnly, b.whoAmI)
	rt.Handle(http.MethodPut, "/v1/accounts/name", wire.DeviceOnly, b.setName)
	rt.Handle(http.MethodPut, "/v1/accounts/attributes", wire.DeviceOnly, b.setAttributes)
	rt.Handle(http.MethodHead, "/v1/accounts/account/{identifier}", wire.Either, b.accountExists)
	rt.Handle(http.MethodPut, "/v1/provisioning/{address}", wire.DeviceOnly, b.sendProvisioning)
	b.deviceRoutes(rt)
	b.keyRoutes(rt)
	b.profileRoutes(rt)
	b.certificateRoutes(rt)
}

// KeepAliveRoutes adds the calls that a websocket without an account has too.
func (b *Book) KeepAliveRoutes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/keepalive", wire.Either, keepAlive)
	rt.Handle(http.MethodGet, "/v1/keepalive/provisioning", wire.Either, keepAlive)
}

// keepAlive is KeepAliveController.getKeepAlive, which is there on websockets alone.
func keepAlive(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if r.Socket == nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return wire.OK()
}

// whoAmI is AccountController.whoAmI.
func (b *Book) whoAmI(_ context.Context, r *wire.Request) (*wire.Response, error) {
	account := b.Find(serviceid.NewACI(r.By.Account))
	if account == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	return wire.JSON(account.answer(account.anyDevice(capStorage)))
}

// deviceName is DeviceName.
type deviceName struct {
	Name wire.Bytes `json:"deviceName"`
}

func (n *deviceName) valid() bool { return len(n.Name) > 0 && len(n.Name) <= maxDeviceName }

// setName is AccountController.setName: a primary may name other devices.
func (b *Book) setName(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request deviceName
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	target := *r.By
	if text := r.Query.Get("deviceId"); text != "" {
		id, err := deviceNumber(text)
		if err != nil {
			return nil, wire.Refuse(http.StatusNotFound)
		}
		target.ID = id
	}
	if err := b.requester(r); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(target)
	switch {
	case d == nil:
		return nil, wire.Refuse(http.StatusNotFound)
	case r.By.ID != PrimaryID && r.By.ID != target.ID:
		return nil, wire.Refuse(http.StatusForbidden)
	}
	d.Name = request.Name
	return wire.NoContent()
}

// decode reads a request's body into an entity, and checks it as the entity's annotations do: 422.
func decode(r *wire.Request, into interface{ valid() bool }) error {
	if err := r.Decode(into); err != nil {
		return err
	}
	if !into.valid() {
		return wire.Invalid()
	}
	return nil
}

// setAttributes is AccountController.setAccountAttributes, of which those are read that the sandbox has. Registration
// ids are checked, but stay as they were.
func (b *Book) setAttributes(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request accountAttributes
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(*r.By)
	if d == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	e := b.accounts[r.By.Account]
	if e.Number == "" && (request.Discoverable == nil || *request.Discoverable) {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	d.Capabilities, d.Name = request.Capabilities, request.Name
	e.AccessKey, e.Unrestricted = request.AccessKey, request.Unrestricted
	return wire.NoContent()
}

// accountExists is AccountController.accountExists, which who says who he is may not ask.
func (b *Book) accountExists(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if r.By != nil {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	id, err := serviceid.Parse(r.Values["identifier"])
	if err != nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	if b.Find(id) == nil {
		return nil, wire.RefuseBare(http.StatusNotFound)
	}
	return wire.OK()
}
