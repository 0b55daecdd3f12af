package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	// provisioningLife is how long a socket waits for its message (WhisperServerService, provisioning timeout).
	provisioningLife = 90 * time.Second
	// maxProvisioning is ProvisioningController.MAX_MESSAGE_SIZE, of the message in base64.
	maxProvisioning = 256 << 10
)

// provisioning are the new devices that wait for a primary to send them an account, by their addresses.
type provisioning struct {
	mu      sync.Mutex
	waiting map[string]chan []byte
}

func (p *provisioning) add(address string) chan []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	message := make(chan []byte, 1)
	p.waiting[address] = message
	return message
}

func (p *provisioning) remove(address string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, address)
}

// send reports whether somebody waits at the address.
func (p *provisioning) send(address string, body []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	message := p.waiting[address]
	if message == nil {
		return false
	}
	delete(p.waiting, address) // it gets one
	message <- body
	return true
}

// ServeProvisioning is websocket.ProvisioningConnectListener: it tells the new device its address, waits for the message
// to it, and ends the socket when that was taken.
func (b *Book) ServeProvisioning(ctx context.Context, s *wire.Socket) {
	random := make([]byte, 16)
	_, _ = rand.Read(random)
	address := base64.URLEncoding.EncodeToString(random)
	message := b.provisioning.add(address)
	defer b.provisioning.remove(address)
	ctx, cancel := context.WithTimeout(ctx, provisioningLife)
	defer cancel()
	body, err := proto.Marshal(&servicepb.ProvisioningAddress{Address: &address})
	if err != nil {
		s.Close(wire.CloseUnexpected, "")
		return
	}
	headers := []string{wire.TimestampHeader(b.options.Now())}
	if _, err := s.Request(ctx, http.MethodPut, "/v1/address", headers, body); err != nil {
		return
	}
	select {
	case <-s.Done():
	case <-ctx.Done():
		s.Close(wire.CloseOK, "Timeout")
	case envelope := <-message:
		_, _ = s.Request(ctx, http.MethodPut, "/v1/message", headers, envelope)
		s.Close(wire.CloseOK, "Closed")
	}
}

// Provision sends a provisioning envelope to a new device, and reports whether it waits at the address.
func (b *Book) Provision(address string, envelope []byte) bool {
	return b.provisioning.send(address, envelope)
}

// provisioningMessage is ProvisioningMessage.
type provisioningMessage struct {
	Body string `json:"body"`
}

func (m *provisioningMessage) valid() bool { return m.Body != "" }

// base64Letter drops what Java's MIME decoder passes over.
func base64Letter(r rune) rune {
	if strings.ContainsRune("+/=", r) || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
		return r
	}
	return -1
}

// sendProvisioning is ProvisioningController.sendProvisioningMessage.
func (b *Book) sendProvisioning(_ context.Context, r *wire.Request) (*wire.Response, error) {
	var request provisioningMessage
	if err := decode(r, &request); err != nil {
		return nil, err
	}
	body, err := wire.DecodeBase64(strings.Map(base64Letter, request.Body))
	switch {
	case err != nil || len(request.Body) > maxProvisioning:
		return nil, wire.Refuse(http.StatusBadRequest)
	case !b.Provision(r.Values["address"], body):
		return nil, wire.Refuse(http.StatusNotFound)
	}
	return wire.NoContent()
}
