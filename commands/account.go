package commands

import "signalbox/signalcore/model"

func accountCommands() []*command {
	return []*command{
		define("get_account", "Tells about the linked account.", runGetAccount),
		define("list_devices", "Lists the account's devices.", runListDevices),
	}
}

// Account is an account, in replies.
type Account struct {
	Number     string `json:"number" jsonschema:"description=its phone number"`
	UUID       string `json:"uuid" jsonschema:"description=its ACI"`
	PNI        string `json:"pni,omitempty" jsonschema:"description=the identity of its phone number"`
	Username   string `json:"username,omitempty"`
	Name       string `json:"name,omitempty" jsonschema:"description=the profile name"`
	DeviceID   uint32 `json:"deviceId" jsonschema:"description=of this device"`
	DeviceName string `json:"deviceName,omitempty" jsonschema:"description=as the phone lists it"`
	LinkedAt   int64  `json:"linkedAt,omitempty" jsonschema:"description=in milliseconds since 1970"`
}

func accountReply(a model.Account) *Account {
	out := &Account{
		Number: a.Number, UUID: a.ACI.String(), Username: a.Username, Name: a.Name,
		DeviceID: a.DeviceID, DeviceName: a.DeviceName, LinkedAt: millis(a.LinkedAt),
	}
	if !a.PNI.IsZero() {
		out.PNI = a.PNI.String()
	}
	return out
}

func runGetAccount(c *call, _ *None) (*Account, error) {
	account, err := c.signal.Account(c)
	if err != nil {
		return nil, err
	}
	if account.Unlinked {
		return nil, model.ErrNotLinked
	}
	return accountReply(account), nil
}

// ListDevicesReply is the reply of list_devices.
type ListDevicesReply struct {
	Devices []Device `json:"devices" jsonschema:"description=the phone is number 1"`
}

// Device is one of the account's devices.
type Device struct {
	ID       uint32 `json:"id" jsonschema:"description=its number"`
	Name     string `json:"name,omitempty" jsonschema:"description=where it is known here"`
	Created  int64  `json:"created,omitempty" jsonschema:"description=in milliseconds since 1970"`
	LastSeen int64  `json:"lastSeen,omitempty" jsonschema:"description=to the day\\, as the service tells it"`
	This     bool   `json:"this,omitempty" jsonschema:"description=this is the daemon itself"`
}

func runListDevices(c *call, _ *None) (*ListDevicesReply, error) {
	devices, err := c.signal.Devices(c)
	if err != nil {
		return nil, err
	}
	out := &ListDevicesReply{Devices: make([]Device, len(devices))}
	for i, d := range devices {
		out.Devices[i] = Device{
			ID: d.ID, Name: d.Name, Created: millis(d.Created), LastSeen: millis(d.LastSeen), This: d.This,
		}
	}
	return out, nil
}
