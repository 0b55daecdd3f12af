package sealedsender

import (
	"encoding/binary"
	"fmt"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/serviceid"
)

// Sent is the body of a multi-recipient send as a service reads it: what EncryptMulti made.
type Sent struct {
	// Recipients are in the order in which they first appear.
	Recipients []SentRecipient
	// Excluded are the accounts that get nothing.
	Excluded []serviceid.ServiceID

	shared []byte // the ephemeral key and the ciphertext
}

// SentRecipient is an account whose devices get the message. A device's registration id is checked by the service.
type SentRecipient struct {
	ServiceID serviceid.ServiceID
	Devices   []Device

	key []byte // the encrypted message key and the sender tag
}

// version2UUID is of a received message, and of an older form of the send, which has the UUIDs of ACIs alone.
const version2UUID = 0x22

// ParseSent reads a multi-recipient send. It keeps sent, which must not change afterwards.
// Source: libsignal rust/protocol/src/sealed_sender.rs, SealedSenderV2SentMessage.
func ParseSent(sent []byte) (*Sent, error) {
	if len(sent) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrMalformed)
	}
	if sent[0] != version2Service && sent[0] != version2UUID {
		return nil, fmt.Errorf("%w %#x", ErrVersion, sent[0])
	}
	count, n := binary.Uvarint(sent[1:])
	if n <= 0 {
		return nil, fmt.Errorf("%w: number of recipients", ErrMalformed)
	}
	in := sentReader{rest: sent[1+n:], idSize: 17}
	if sent[0] == version2UUID {
		in.idSize = 16
	}
	var s Sent
	at := map[serviceid.ServiceID]int{}
	// Each takes some bytes, so that a number that is too high ends with them.
	for range count {
		r, err := in.recipient()
		if err != nil {
			return nil, err
		}
		if err := s.add(r, at); err != nil {
			return nil, err
		}
	}
	if len(in.rest) < curve.KeySize {
		return nil, fmt.Errorf("%w: %d bytes after the recipients", ErrMalformed, len(in.rest))
	}
	s.shared = in.rest
	return &s, nil
}

// add merges the devices of a recipient who appears again; one without devices must appear once.
func (s *Sent) add(r SentRecipient, at map[serviceid.ServiceID]int) error {
	first, again := at[r.ServiceID]
	switch {
	case again && (first < 0 || len(r.Devices) == 0):
		return fmt.Errorf("%w: %s is named again without devices", ErrMalformed, r.ServiceID.Short())
	case again:
		s.Recipients[first].Devices = append(s.Recipients[first].Devices, r.Devices...)
	case len(r.Devices) == 0:
		at[r.ServiceID] = -1
		s.Excluded = append(s.Excluded, r.ServiceID)
	default:
		at[r.ServiceID] = len(s.Recipients)
		s.Recipients = append(s.Recipients, r)
	}
	return nil
}

// For returns the received message of one recipient, the same for each of the devices: what Receiver.Open opens.
func (s *Sent) For(r SentRecipient) []byte { return concat([]byte{version2UUID}, r.key, s.shared) }

type sentReader struct {
	rest   []byte
	idSize int
}

func (in *sentReader) take(n int) ([]byte, error) {
	if len(in.rest) < n {
		return nil, fmt.Errorf("%w: it ends within the recipients", ErrMalformed)
	}
	taken := in.rest[:n:n]
	in.rest = in.rest[n:]
	return taken, nil
}

func (in *sentReader) recipient() (SentRecipient, error) {
	id, err := in.take(in.idSize)
	if err != nil {
		return SentRecipient{}, err
	}
	var r SentRecipient
	if r.ServiceID, err = serviceid.ParseBinary(id); err != nil {
		return SentRecipient{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if r.Devices, err = in.devices(); err != nil || len(r.Devices) == 0 {
		return r, err
	}
	r.key, err = in.take(v2PerRecipient)
	return r, err
}

func (in *sentReader) devices() (devices []Device, err error) {
	for more := true; more; {
		id, err := in.take(1)
		switch {
		case err != nil:
			return nil, err
		case id[0] == 0 && len(devices) == 0:
			return nil, nil
		case id[0] == 0 || uint32(id[0]) > serviceid.MaxDeviceID:
			return nil, fmt.Errorf("%w: device %d", ErrMalformed, id[0])
		}
		registration, err := in.take(2)
		if err != nil {
			return nil, err
		}
		value := binary.BigEndian.Uint16(registration)
		devices = append(devices, Device{uint32(id[0]), uint32(value & maxRegistrationID)})
		more = value&moreDevices != 0
	}
	return devices, nil
}
