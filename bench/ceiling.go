package main

import (
	"fmt"
	"strconv"
	"time"

	"signalbox/interop"
)

// ceiling is what the mock server gives the official library's client, with signalbox not running: no client can be
// faster than the mock. It sends unsealed and keeps nothing on disk.
type ceiling struct {
	send, drain interop.OfficialResult
	live        time.Duration
}

// measureCeiling plays a linked device for each figure, each with a contact of its own: the mock gives the next device
// the same number, with which a contact would have a session of the one before.
func measureCeiling(t *tb, version int) ceiling {
	r := interop.NewRig(t, version, interop.RigOptions{Mock: mockOptions(), Unlinked: true}, "alice", "bob", "carol")
	var c ceiling
	officialDevice(r, func(device *interop.Official) { _, c.send = device.Finish() },
		"send", strconv.Itoa(sends), r.Contact("alice").ACI)
	officialDevice(r, func(device *interop.Official) {
		hold := map[string]any{"account": "me", "device": device.ID, "held": true}
		r.Call("hold", hold, nil)
		r.Contact("bob").QueueMany(r.Me, queued, "for the official library ", interop.SendOptions{})
		hold["held"] = false
		r.Call("hold", hold, nil)
		_, c.drain = device.Finish()
	}, "drain", strconv.Itoa(queued))
	officialDevice(r, func(device *interop.Official) { c.live = officialLive(r, device) }, "drain", strconv.Itoa(lives))
	return c
}

// officialDevice plays a device from its registration until it is unlinked.
func officialDevice(r *interop.Rig, use func(*interop.Official), mode ...string) {
	device := r.OfficialDevice(r.Me, mode...)
	use(device)
	r.Call("unlink", map[string]any{"account": "me", "device": device.ID}, nil)
}

func officialLive(r *interop.Rig, device *interop.Official) time.Duration {
	var each []time.Duration
	for i := range lives {
		sent := r.Contact("carol").SendText(r.Me, fmt.Sprintf("live official %d", i), interop.SendOptions{})
		each = append(each, time.Duration(device.Next().At-sent.DeliveredAt))
	}
	return median(each)
}
