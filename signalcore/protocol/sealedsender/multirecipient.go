package sealedsender

import (
	"encoding/binary"
	"fmt"
	"io"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/gcmsiv"
	"signalbox/signalcore/protocol/serviceid"
)

// Device is one device of a recipient.
type Device struct {
	ID             uint32
	RegistrationID uint32
}

// Recipient is an account that gets a version-2 message, on each of the devices.
type Recipient struct {
	ServiceID serviceid.ServiceID
	Identity  curve.PublicKey
	Devices   []Device
}

const (
	maxRegistrationID = 1<<14 - 1
	moreDevices       = 1 << 15
)

// EncryptMulti seals content for many recipients, in version 2: the body of a multi-recipient send. The excluded are
// members of the group who get nothing, and whom the service must be told of.
//
// The form is: version, number of recipients as a varint, for each the service id, its devices (id, and registration id
// with a bit that says whether more follow), encrypted key and sender tag; for the excluded a service id and a zero;
// then the ephemeral key without its type byte, and the ciphertext.
func EncryptMulti(
	random io.Reader, ours curve.KeyPair, recipients []Recipient, excluded []serviceid.ServiceID, content Content,
) ([]byte, error) {
	if err := checkDistinct(recipients, excluded); err != nil {
		return nil, err
	}
	serialized, err := content.Serialize()
	if err != nil {
		return nil, err
	}
	var key messageKey
	if _, err := io.ReadFull(random, key[:]); err != nil {
		return nil, fmt.Errorf("generate sealed-sender key: %w", err)
	}
	ephemeral, err := key.ephemeral()
	if err != nil {
		return nil, err
	}
	out := binary.AppendUvarint([]byte{version2Service}, uint64(len(recipients)+len(excluded)))
	for _, r := range recipients {
		if out, err = r.append(out, ours, ephemeral, key); err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrRecipient, r.ServiceID.Short(), err)
		}
	}
	for _, id := range excluded {
		fixed := id.FixedWidth()
		out = append(append(out, fixed[:]...), 0)
	}
	cipherKey, err := key.derive(v2LabelCipher)
	if err != nil {
		return nil, err
	}
	ciphertext := gcmsiv.Seal(cipherKey, [gcmsiv.NonceSize]byte{}, serialized, nil)
	return append(append(out, ephemeral.Public[:]...), ciphertext...), nil
}

// checkDistinct looks for an account that is named twice, for which the service would refuse the whole message.
func checkDistinct(recipients []Recipient, excluded []serviceid.ServiceID) error {
	seen := make(map[serviceid.ServiceID]bool, len(recipients)+len(excluded))
	add := func(id serviceid.ServiceID) error {
		if seen[id] {
			return fmt.Errorf("%w %s: named twice", ErrRecipient, id.Short())
		}
		seen[id] = true
		return nil
	}
	for _, r := range recipients {
		if err := add(r.ServiceID); err != nil {
			return err
		}
	}
	for _, id := range excluded {
		if err := add(id); err != nil {
			return err
		}
	}
	return nil
}

func (r Recipient) append(out []byte, ours, ephemeral curve.KeyPair, key messageKey) ([]byte, error) {
	fixed := r.ServiceID.FixedWidth()
	out = append(out, fixed[:]...)
	out, err := r.appendDevices(out)
	if err != nil {
		return nil, err
	}
	encrypted, err := mask(ephemeral.Private, r.Identity, ephemeral.Public, r.Identity, key[:])
	if err != nil {
		return nil, err
	}
	tag, err := senderTagInput{ephemeral.Public, encrypted[:], ours.Public, r.Identity}.tag(ours.Private, r.Identity)
	if err != nil {
		return nil, err
	}
	return append(append(out, encrypted[:]...), tag...), nil
}

func (r Recipient) appendDevices(out []byte) ([]byte, error) {
	if len(r.Devices) == 0 {
		return nil, fmt.Errorf("no devices")
	}
	for i, device := range r.Devices {
		if device.ID == 0 || device.ID > serviceid.MaxDeviceID {
			return nil, fmt.Errorf("device %d", device.ID)
		}
		if device.RegistrationID > maxRegistrationID {
			return nil, fmt.Errorf("registration id %d", device.RegistrationID)
		}
		registration := uint16(device.RegistrationID)
		if i < len(r.Devices)-1 {
			registration |= moreDevices
		}
		out = binary.BigEndian.AppendUint16(append(out, byte(device.ID)), registration)
	}
	return out, nil
}
