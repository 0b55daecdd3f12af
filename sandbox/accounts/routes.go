package accounts

import (
	"context"
	"net/http"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/serviceid"
)

// Routes adds the calls of this package.
func (b *Book) Routes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v1/keepalive", wire.Either, keepAlive)
	rt.Handle(http.MethodGet, "/v1/keepalive/provisioning", wire.Either, keepAlive)
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

// keepAlive is KeepAliveController.getKeepAlive.
func keepAlive(context.Context, *wire.Request) (*wire.Response, error) { return wire.OK() }

// whoAmI is AccountController.whoAmI.
func (b *Book) whoAmI(_ context.Context, r *wire.Request) (*wire.Response, error) {
	account := b.Find(serviceid.NewACI(r.By.Account))
	if account == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	return wire.JSON(account.answer(account.anyDevice(capStorage)))
}

// setName is AccountController.setName: a primary may name other devices.
func (b *Book) setName(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request struct {
		Name wire.Bytes `json:"deviceName"`
	}
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	if len(request.Name) == 0 || len(request.Name) > maxDeviceName {
		return nil, wire.Refuse(http.StatusUnprocessableEntity)
	}
	target := *r.By
	if text := r.Query.Get("deviceId"); text != "" {
		id, err := deviceSelector(text)
		switch {
		case err != nil:
			return nil, wire.Refuse(http.StatusNotFound)
		case id != target.ID && target.ID != PrimaryID:
			return nil, wire.Refuse(http.StatusForbidden)
		}
		target.ID = id
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(target)
	if d == nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	d.Name = request.Name
	return wire.NoContent()
}

// setAttributes is AccountController.setAccountAttributes, of which those are read that the sandbox has. Registration
// ids are checked, but stay as they were.
func (b *Book) setAttributes(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request accountAttributes
	if err := r.Decode(&request); err != nil {
		return nil, err
	}
	if !request.valid() {
		return nil, wire.Refuse(http.StatusUnprocessableEntity)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	d := b.device(*r.By)
	if d == nil {
		return nil, wire.Refuse(http.StatusUnauthorized)
	}
	d.Capabilities, d.Name = request.Capabilities, request.Name
	e := b.accounts[r.By.Account]
	e.AccessKey, e.Unrestricted = request.AccessKey, request.Unrestricted
	return wire.NoContent()
}

// accountExists is AccountController.accountExists, which who says who he is may not ask.
func (b *Book) accountExists(_ context.Context, r *wire.Request) (*wire.Response, error) {
	if r.By != nil {
		return nil, wire.Refuse(http.StatusBadRequest)
	}
	id, err := serviceid.Parse(r.Values["identifier"])
	if err != nil || b.Find(id) == nil {
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return wire.OK()
}
