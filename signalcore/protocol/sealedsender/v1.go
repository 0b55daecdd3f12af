package sealedsender

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/sealedpb"
)

const (
	v1Salt    = "UnidentifiedDelivery"
	v1MACSize = 10
)

// layerKeys are the keys of one of version 1's two layers. The static layer has no use for its chain key.
type layerKeys struct{ chain, cipher, mac []byte }

func deriveLayer(secret [32]byte, salt []byte) (layerKeys, error) {
	derived, err := hkdf.Key(sha256.New, secret[:], salt, "", 96)
	if err != nil {
		return layerKeys{}, fmt.Errorf("derive sealed-sender keys: %w", err)
	}
	return layerKeys{chain: derived[:32], cipher: derived[32:64], mac: derived[64:]}, nil
}

// ephemeralLayer has the same keys on both sides; the recipient's key comes first in the salt.
func ephemeralLayer(private curve.PrivateKey, other, recipient, ephemeral curve.PublicKey) (layerKeys, error) {
	secret, err := private.Agree(other)
	if err != nil {
		return layerKeys{}, err
	}
	return deriveLayer(secret, concat([]byte(v1Salt), recipient.Serialize(), ephemeral.Serialize()))
}

// staticLayer binds the message to both identities and to the ephemeral layer.
func staticLayer(private curve.PrivateKey, other curve.PublicKey, chain, encryptedStatic []byte) (layerKeys, error) {
	secret, err := private.Agree(other)
	if err != nil {
		return layerKeys{}, err
	}
	return deriveLayer(secret, concat(chain, encryptedStatic))
}

func sealV1(random io.Reader, ours curve.KeyPair, recipient curve.PublicKey, content []byte) ([]byte, error) {
	ephemeral, err := curve.GenerateKeyPair(random)
	if err != nil {
		return nil, err
	}
	outer, err := ephemeralLayer(ephemeral.Private, recipient, recipient, ephemeral.Public)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecipient, err)
	}
	encryptedStatic, err := outer.seal(ours.Public.Serialize())
	if err != nil {
		return nil, err
	}
	inner, err := staticLayer(ours.Private, recipient, outer.chain, encryptedStatic)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRecipient, err)
	}
	encryptedMessage, err := inner.seal(content)
	if err != nil {
		return nil, err
	}
	sealed, err := proto.MarshalOptions{}.MarshalAppend([]byte{version1}, &sealedpb.UnidentifiedSenderMessage{
		EphemeralPublic:  ephemeral.Public.Serialize(),
		EncryptedStatic:  encryptedStatic,
		EncryptedMessage: encryptedMessage,
	})
	if err != nil {
		return nil, fmt.Errorf("encode sealed message: %w", err)
	}
	return sealed, nil
}

func openV1(ours curve.KeyPair, body []byte) (Content, error) {
	var m sealedpb.UnidentifiedSenderMessage
	if proto.Unmarshal(body, &m) != nil {
		return Content{}, ErrMalformed
	}
	ephemeral, err := curve.ParsePublicKey(m.GetEphemeralPublic())
	if err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	outer, err := ephemeralLayer(ours.Private, ephemeral, ours.Public, ephemeral)
	if err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	static, err := outer.open(m.GetEncryptedStatic())
	if err != nil {
		return Content{}, err
	}
	sender, err := curve.ParsePublicKey(static)
	if err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	inner, err := staticLayer(ours.Private, sender, outer.chain, m.GetEncryptedStatic())
	if err != nil {
		return Content{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	serialized, err := inner.open(m.GetEncryptedMessage())
	if err != nil {
		return Content{}, err
	}
	content, err := ParseContent(serialized)
	if err != nil {
		return Content{}, err
	}
	if subtle.ConstantTimeCompare(static, content.Certificate.IdentityKey.Serialize()) != 1 {
		return Content{}, ErrWrongSender
	}
	return content, nil
}

// seal is AES-256-CTR from zero, with the first ten bytes of an HMAC-SHA256 behind it. The keys are used once.
func (k layerKeys) seal(plaintext []byte) ([]byte, error) {
	out, err := k.crypt(plaintext)
	if err != nil {
		return nil, err
	}
	return append(out, k.sum(out)...), nil
}

func (k layerKeys) open(sealed []byte) ([]byte, error) {
	if len(sealed) < v1MACSize {
		return nil, ErrMalformed
	}
	ciphertext, mac := sealed[:len(sealed)-v1MACSize], sealed[len(sealed)-v1MACSize:]
	if !hmac.Equal(k.sum(ciphertext), mac) {
		return nil, ErrNotDecryptable
	}
	return k.crypt(ciphertext)
}

func (k layerKeys) sum(ciphertext []byte) []byte {
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(ciphertext)
	return mac.Sum(nil)[:v1MACSize]
}

func (k layerKeys) crypt(in []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.cipher)
	if err != nil {
		return nil, fmt.Errorf("sealed-sender cipher: %w", err)
	}
	out := make([]byte, len(in), len(in)+v1MACSize)
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(out, in)
	return out, nil
}
