package sealedsender

import (
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/gcmsiv"
)

const (
	v2LabelEphemeral  = "Sealed Sender v2: r (2023-08)"
	v2LabelCipher     = "Sealed Sender v2: K"
	v2LabelAgreement  = "Sealed Sender v2: DH"
	v2LabelSender     = "Sealed Sender v2: DH-sender"
	v2KeySize         = 32
	v2TagSize         = 16
	v2PerRecipient    = v2KeySize + v2TagSize
	v2ReceivedMinSize = v2PerRecipient + curve.KeySize
)

// messageKey is the secret of one version-2 message. The ephemeral key follows from it, so that a recipient can tell
// whether it got the right one.
type messageKey [v2KeySize]byte

func (m messageKey) derive(label string) ([32]byte, error) { return derive32(m[:], label) }

func (m messageKey) ephemeral() (curve.KeyPair, error) {
	seed, err := m.derive(v2LabelEphemeral)
	if err != nil {
		return curve.KeyPair{}, err
	}
	private, err := curve.ParsePrivateKey(seed[:])
	if err != nil {
		return curve.KeyPair{}, err
	}
	return private.KeyPair(), nil
}

func derive32(secret []byte, label string) ([32]byte, error) {
	derived, err := hkdf.Key(sha256.New, secret, nil, label, 32)
	if err != nil {
		return [32]byte{}, fmt.Errorf("derive sealed-sender keys: %w", err)
	}
	return [32]byte(derived), nil
}

// mask encrypts or decrypts the message key for a recipient.
func mask(private curve.PrivateKey, other, ephemeral, recipient curve.PublicKey, in []byte) (messageKey, error) {
	secret, err := private.Agree(other)
	if err != nil {
		return messageKey{}, err
	}
	pad, err := derive32(concat(secret[:], ephemeral.Serialize(), recipient.Serialize()), v2LabelAgreement)
	if err != nil {
		return messageKey{}, err
	}
	var out messageKey
	subtle.XORBytes(out[:], pad[:], in)
	return out, nil
}

// senderTagInput is what proves to a recipient who the sender is.
type senderTagInput struct {
	ephemeral    curve.PublicKey
	encryptedKey []byte
	sender       curve.PublicKey
	recipient    curve.PublicKey
}

func (in senderTagInput) tag(private curve.PrivateKey, other curve.PublicKey) ([]byte, error) {
	secret, err := private.Agree(other)
	if err != nil {
		return nil, err
	}
	input := concat(secret[:], in.ephemeral.Serialize(), in.encryptedKey, in.sender.Serialize(), in.recipient.Serialize())
	tag, err := hkdf.Key(sha256.New, input, nil, v2LabelSender, v2TagSize)
	if err != nil {
		return nil, fmt.Errorf("derive sealed-sender tag: %w", err)
	}
	return tag, nil
}

// openV2 opens a received message: the encrypted message key (32 bytes), the sender tag (16), the ephemeral key without
// its type byte (32), and the ciphertext.
func openV2(ours curve.KeyPair, body []byte) (Content, error) {
	if len(body) < v2ReceivedMinSize {
		return Content{}, fmt.Errorf("%w: %d bytes", ErrMalformed, len(body))
	}
	encryptedKey, tag := body[:v2KeySize], body[v2KeySize:v2PerRecipient]
	ephemeral, ciphertext := curve.PublicKey(body[v2PerRecipient:v2ReceivedMinSize]), body[v2ReceivedMinSize:]

	serialized, err := openV2Layer(ours, ephemeral, encryptedKey, ciphertext)
	if err != nil {
		return Content{}, err
	}
	content, err := ParseContent(serialized)
	if err != nil {
		return Content{}, err
	}
	sender := content.Certificate.IdentityKey
	expected, err := senderTagInput{ephemeral, encryptedKey, sender, ours.Public}.tag(ours.Private, sender)
	if err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if subtle.ConstantTimeCompare(expected, tag) != 1 {
		return Content{}, ErrWrongSender
	}
	return content, nil
}

func openV2Layer(ours curve.KeyPair, ephemeral curve.PublicKey, encryptedKey, ciphertext []byte) ([]byte, error) {
	key, err := mask(ours.Private, ephemeral, ephemeral, ours.Public, encryptedKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	derived, err := key.ephemeral()
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(derived.Public[:], ephemeral[:]) != 1 {
		return nil, ErrNotDecryptable
	}
	cipherKey, err := key.derive(v2LabelCipher)
	if err != nil {
		return nil, err
	}
	serialized, err := gcmsiv.Open(cipherKey, [gcmsiv.NonceSize]byte{}, ciphertext, nil)
	if err != nil {
		return nil, ErrNotDecryptable
	}
	return serialized, nil
}
