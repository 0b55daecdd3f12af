package service

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const (
	pathProvisioningAddress = "/v1/address"
	pathProvisioningMessage = "/v1/message"
	maxProvisioningAddress  = 128
)

// Provisioning is the socket through which a primary device sends what a new linked device needs. Its address and a
// public key of ours make the linking URI; both that and decrypting the envelope are the caller's.
type Provisioning struct{ *Conn }

// OpenProvisioning opens the socket. The service ends it after some minutes; a new one has a new address.
func (l *Link) OpenProvisioning(ctx context.Context) (*Provisioning, error) {
	conn, err := l.open(ctx, socket{
		path: pathProvisioningWebsocket, keepalive: "/v1/keepalive/provisioning",
		accepts: func(method, path string) bool {
			return method == http.MethodPut && (path == pathProvisioningAddress || path == pathProvisioningMessage)
		},
	})
	if err != nil {
		return nil, err
	}
	return &Provisioning{conn}, nil
}

// Address waits for the address, which comes first.
func (p *Provisioning) Address(ctx context.Context) (string, error) {
	body, err := p.next(ctx, pathProvisioningAddress)
	if err != nil {
		return "", err
	}
	var message servicepb.ProvisioningAddress
	if err := proto.Unmarshal(body, &message); err != nil {
		return "", fmt.Errorf("%w: provisioning address cannot be read: %v", ErrProtocol, err)
	}
	if address := message.GetAddress(); address != "" && len(address) <= maxProvisioningAddress {
		return address, nil
	}
	return "", fmt.Errorf("%w: no provisioning address", ErrProtocol)
}

// Envelope waits for the provisioning envelope, which comes when the primary device has scanned the URI.
func (p *Provisioning) Envelope(ctx context.Context) (*servicepb.ProvisionEnvelope, error) {
	body, err := p.next(ctx, pathProvisioningMessage)
	if err != nil {
		return nil, err
	}
	var envelope servicepb.ProvisionEnvelope
	if err := proto.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("%w: provisioning envelope cannot be read: %v", ErrProtocol, err)
	}
	return &envelope, nil
}

// next takes the next request, which must be for path, and acknowledges it.
func (p *Provisioning) next(ctx context.Context, path string) ([]byte, error) {
	items, err := p.arrivals.take(ctx, p.done, 1, maxMessage)
	if err != nil {
		if ended := p.Err(); ended != nil {
			return nil, ended
		}
		return nil, err
	}
	if items[0].path != path {
		return nil, fmt.Errorf("%w: provisioning out of order", ErrProtocol)
	}
	written, err := p.submit(ctx, appendResponse(nil, items[0].id, http.StatusOK))
	if err != nil {
		return nil, err
	}
	select {
	case <-written:
	case <-p.done:
	}
	return items[0].body, nil
}
