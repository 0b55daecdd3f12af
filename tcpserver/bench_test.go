package tcpserver

import (
	"fmt"
	"testing"

	"signalbox/commands/signaltest"
)

// BenchmarkRoundTrip is one small command and its reply.
func BenchmarkRoundTrip(b *testing.B) {
	for _, network := range []string{"tcp", "unix"} {
		b.Run(network, func(b *testing.B) {
			d := start(b, nil)
			c := dial(b, network, map[string]string{"tcp": d.address, "unix": d.unix}[network])
			for b.Loop() {
				c.ask(`{command:'send_message',recipient:'self',dataMessage:{message:'x'}}`)
			}
		})
	}
}

// BenchmarkReceive is a message from the inbox to a client that asks for the next at once.
func BenchmarkReceive(b *testing.B) {
	d := start(b, nil)
	c := d.dial()
	for i := 0; b.Loop(); i++ {
		d.signal.Deliver(signaltest.Text(fmt.Sprint(i), "hello"))
		c.ask(`{command:'receive_messages'}`)
	}
}
