package commands

import (
	"context"

	"signalbox/signalcore/model"
)

func linkingCommands() []*command {
	return []*command{
		define("start_link", "Begins to link this device to an account. Show the uri as a QR code to the phone: "+
			"Settings, Linked devices. Then finish_link.", runStartLink),
		define("finish_link", "Waits until the uri of start_link was scanned and the device is linked.",
			runFinishLink).waiting(),
	}
}

// StartLinkRequest is the request of start_link.
type StartLinkRequest struct {
	DeviceName string `json:"deviceName,omitempty" jsonschema:"description=how the phone lists this device; default signalbox"`
}

// StartLinkReply is the reply of start_link.
type StartLinkReply struct {
	URI string `json:"uri" jsonschema:"description=to show as a QR code"`
}

const defaultDeviceName = "signalbox"

func runStartLink(c *call, request *StartLinkRequest) (*StartLinkReply, error) {
	name := request.DeviceName
	if name == "" {
		name = defaultDeviceName
	}
	if len([]rune(name)) > model.MaxDeviceName {
		return nil, badArgument("deviceName", "is longer than %d characters", model.MaxDeviceName)
	}
	uri, err := c.signal.StartLink(c, model.LinkOptions{DeviceName: name})
	if err != nil {
		return nil, err
	}
	return &StartLinkReply{URI: uri}, nil
}

// FinishLinkRequest is the request of finish_link.
type FinishLinkRequest struct {
	URI string `json:"uri" jsonschema:"required,description=as start_link returned it"`
}

func runFinishLink(c *call, request *FinishLinkRequest) (*Account, error) {
	if request.URI == "" {
		return nil, badArgument("uri", "is missing")
	}
	ctx, cancel := c.untilDrain()
	defer cancel()
	account, err := c.signal.FinishLink(ctx, request.URI)
	if err != nil && context.Cause(ctx) == model.ErrShuttingDown {
		return nil, model.ErrShuttingDown
	}
	if err != nil {
		return nil, err
	}
	return accountReply(account), nil
}

// untilDrain returns a context that ends when the daemon begins to shut down, too.
func (c *call) untilDrain() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(c)
	go func() {
		select {
		case <-c.session.client.Drain:
			cancel(model.ErrShuttingDown)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}
