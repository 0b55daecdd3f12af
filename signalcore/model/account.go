package model

import (
	"time"

	"signalbox/signalcore/protocol/serviceid"
)

// Account is the account that is linked here.
type Account struct {
	Number   string
	ACI      serviceid.ServiceID
	PNI      serviceid.ServiceID
	Username string
	DeviceID uint32
	// DeviceName is the name under which the primary lists this device.
	DeviceName string
	// Name is the profile name; empty where it is not known.
	Name     string
	LinkedAt time.Time
	// Unlinked is set when the service says that this device is no longer linked; the state is kept.
	Unlinked bool
}

// Device is one device of the account.
type Device struct {
	ID       uint32
	Name     string
	Created  time.Time
	LastSeen time.Time
	// This is set on the device that answers.
	This bool
}

// MaxDeviceName is how many characters of a device's name are kept, as in the apps (Signal-Desktop,
// ts/types/InstallScreen.std.ts).
const MaxDeviceName = 50

// LinkOptions are for starting to link this device.
type LinkOptions struct {
	DeviceName string
	// Progress, unless nil, is told of each step, on a goroutine of the client's.
	Progress func(LinkStep)
}

// LinkStep is a step of linking that is done.
type LinkStep int

const (
	// LinkScanned means that the primary device has scanned the code.
	LinkScanned LinkStep = iota + 1
	// LinkAccepted means that the service has made this a device of the account.
	LinkAccepted
	// LinkKeysUploaded means that others can write to this device.
	LinkKeysUploaded
)
