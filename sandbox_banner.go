//go:build !nosandbox

package main

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"

	"signalbox/sandbox"
)

// banner tells a person who lives in a sandbox, and what to try.
type banner struct {
	service   *sandbox.Service
	opts      *options
	addresses []net.Addr
}

func (b banner) text() string {
	var text strings.Builder
	text.WriteString("\nThis is a sandbox: a Signal service inside signalbox, with an account and contacts of its own.\n\n")
	b.people(&text)
	b.attempt(&text)
	b.sharing(&text)
	text.WriteString("\n")
	return text.String()
}

func (b banner) people(text *strings.Builder) {
	for _, r := range b.service.Residents() {
		if r.Phone.Number == sandbox.AccountNumber {
			fmt.Fprintf(text, "  account  %s\n", r.Phone.Number)
		} else if r.Does != "" {
			fmt.Fprintf(text, "  contact  %s  %-7s %s\n", r.Phone.Number, r.Name, r.Does)
		}
	}
	if id, name := b.service.Everybody(); id != nil {
		fmt.Fprintf(text, "  group    %s  %s: all of them\n", base64.StdEncoding.EncodeToString(id), name)
	}
}

// attempt shows commands to try, where a plain connection is all that they take.
func (b banner) attempt(text *strings.Builder) {
	if len(b.addresses) == 0 || b.opts.Listen.TLSCert != "" || b.opts.Listen.TokenFile != "" {
		return
	}
	socket := netcat(b.addresses[0])
	fmt.Fprintf(text, `
Try, in another terminal:
  echo '{"command":"send_message","recipient":"%s","dataMessage":{"message":"Hello"}}' | %s
  echo "{command:'receive_messages'}" | %s
`, sandbox.Roles()[0].Number, socket, socket)
}

// netcat is a command that reaches the socket at an address.
func netcat(address net.Addr) string {
	tcp, ok := address.(*net.TCPAddr)
	if !ok {
		return "nc -N -U " + address.String()
	}
	host := tcp.IP.String()
	if tcp.IP.IsUnspecified() || tcp.IP.Equal(net.IPv4(127, 0, 0, 1)) {
		host = "localhost"
	}
	return fmt.Sprintf("nc -N %s %d", host, tcp.Port)
}

// freeNumber is one that nobody in the sandbox has yet.
const freeNumber = "+12025550111"

// sharing tells how other programs come to the service, where it is meant for them.
func (b banner) sharing(text *strings.Builder) {
	if b.opts.Sandbox.Listen == "" {
		return
	}
	fmt.Fprintf(text, `
Other programs share it at %[1]s. Another signalbox, with an account of its own:
  curl -k %[1]s/sandbox/description > sandbox.json
  curl -k %[1]s/sandbox/accounts -d '{"number":"%[2]s","name":"Anna"}'
  signalbox --service sandbox.json --data-dir anna link
  curl -k %[1]s/sandbox/scan -d '{"number":"%[2]s","uri":"sgnl://linkdevice?…"}'
Who lives here, what a contact is to say, and what is to go wrong (docs/sandbox.md):
  curl -k %[1]s/sandbox/accounts
  curl -k %[1]s/sandbox/contacts/%[3]s/say -d '{"to":"%[4]s","text":"Hello"}'
  curl -k -X PUT %[1]s/sandbox/faults -d '[{"kind":"latency","latencyMs":500}]'
`, b.service.URL(), freeNumber, sandbox.Roles()[0].Number, sandbox.AccountNumber)
}
