// Package provisioningcipher opens the message in which a primary device hands its account to a new linked device,
// and makes such messages: AES-256-CBC with HMAC-SHA256 under keys agreed with the new device's one-off key, which the
// QR code showed.
//
// Sources: Signal-Desktop ts/textsecure/ProvisioningCipher, the mock server's src/crypto.js. The provisioning socket is
// the service package's, and what the message means the client's.
package provisioningcipher

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
)

const (
	version = 1
	info    = "TextSecure Provisioning Message"

	ivSize     = aes.BlockSize
	headerSize = 1 + ivSize
	// maxBody bounds what is opened. The message is a few hundred bytes.
	maxBody = 64 << 10
)

var (
	// ErrVersion is returned for an envelope of a version other than 1.
	ErrVersion = errors.New("provisioning message has an unknown version")
	// ErrMalformed is returned for an envelope or a message that cannot be read.
	ErrMalformed = errors.New("malformed provisioning message")
	// ErrMAC is returned for an envelope that was not made for this key, or was changed.
	ErrMAC = errors.New("provisioning message is not for this link, or was changed on its way")
)

// Decrypt opens what a primary device sent to the holder of private.
func Decrypt(private curve.PrivateKey, envelope *servicepb.ProvisionEnvelope) (*servicepb.ProvisionMessage, error) {
	body := envelope.GetBody()
	if len(body) < headerSize+aes.BlockSize+sha256.Size || len(body) > maxBody {
		return nil, fmt.Errorf("%w: body of %d bytes", ErrMalformed, len(body))
	}
	if body[0] != version {
		return nil, fmt.Errorf("%w: %d", ErrVersion, body[0])
	}
	public, err := curve.ParsePublicKey(envelope.GetPublicKey())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	keys, err := agree(private, public)
	if err != nil {
		return nil, err
	}
	signed, mac := body[:len(body)-sha256.Size], body[len(body)-sha256.Size:]
	if !hmac.Equal(keys.sum(signed), mac) {
		return nil, ErrMAC
	}
	plaintext, err := keys.open(signed[1:headerSize], signed[headerSize:])
	if err != nil {
		return nil, err
	}
	message := new(servicepb.ProvisionMessage)
	if err := proto.Unmarshal(plaintext, message); err != nil {
		return nil, fmt.Errorf("%w: not a provisioning message", ErrMalformed)
	}
	return message, nil
}

// Encrypt seals a message for the new device that holds the private key of recipient.
func Encrypt(
	random io.Reader, recipient curve.PublicKey, message *servicepb.ProvisionMessage,
) (*servicepb.ProvisionEnvelope, error) {
	plaintext, err := proto.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode provisioning message: %w", err)
	}
	pair, err := curve.GenerateKeyPair(random)
	if err != nil {
		return nil, err
	}
	keys, err := agree(pair.Private, recipient)
	if err != nil {
		return nil, err
	}
	body := make([]byte, headerSize, headerSize+len(plaintext)+aes.BlockSize+sha256.Size)
	body[0] = version
	if _, err := io.ReadFull(random, body[1:]); err != nil {
		return nil, fmt.Errorf("generate provisioning IV: %w", err)
	}
	ciphertext, err := keys.seal(body[1:headerSize], plaintext)
	if err != nil {
		return nil, err
	}
	body = append(body, ciphertext...)
	body = append(body, keys.sum(body)...)
	return &servicepb.ProvisionEnvelope{PublicKey: pair.Public.Serialize(), Body: body}, nil
}

type keys struct{ aes, mac []byte }

func agree(private curve.PrivateKey, public curve.PublicKey) (keys, error) {
	secret, err := private.Agree(public)
	if err != nil {
		return keys{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	derived, err := hkdf.Key(sha256.New, secret[:], nil, info, 64)
	if err != nil {
		return keys{}, fmt.Errorf("derive provisioning keys: %w", err)
	}
	return keys{aes: derived[:32], mac: derived[32:]}, nil
}

func (k keys) sum(data []byte) []byte {
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(data)
	return mac.Sum(nil)
}

func (k keys) seal(iv, plaintext []byte) ([]byte, error) {
	block, err := aes.NewCipher(k.aes)
	if err != nil {
		return nil, fmt.Errorf("provisioning cipher: %w", err)
	}
	rest := aes.BlockSize - len(plaintext)%aes.BlockSize
	padded := append(bytes.Clone(plaintext), bytes.Repeat([]byte{byte(rest)}, rest)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(padded, padded)
	return padded, nil
}

// open decrypts once the MAC is known to be good, and may therefore branch on the padding.
func (k keys) open(iv, ciphertext []byte) ([]byte, error) {
	if len(ciphertext)%aes.BlockSize != 0 {
		return nil, fmt.Errorf("%w: ciphertext of %d bytes", ErrMalformed, len(ciphertext))
	}
	block, err := aes.NewCipher(k.aes)
	if err != nil {
		return nil, fmt.Errorf("provisioning cipher: %w", err)
	}
	plaintext := make([]byte, len(ciphertext))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plaintext, ciphertext)
	rest := int(plaintext[len(plaintext)-1])
	if rest == 0 || rest > aes.BlockSize ||
		!bytes.HasSuffix(plaintext, bytes.Repeat([]byte{byte(rest)}, rest)) {
		return nil, fmt.Errorf("%w: last block", ErrMalformed)
	}
	return plaintext[:len(plaintext)-rest], nil
}
