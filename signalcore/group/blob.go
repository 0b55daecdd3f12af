package group

import (
	"fmt"
	"io"
	"strings"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// Bounds on what the service hands out. They are far above what it takes in, so that a rule of its that grows does not
// make groups unreadable.
const (
	maxList     = 5000
	maxText     = 64 << 10
	maxPath     = 1024
	maxPassword = 256
	// MaxAvatarSize is the largest encrypted picture that the service takes (GroupsController, the upload policy).
	MaxAvatarSize = 3 << 20
)

// attribute decrypts a title, description or timer. What cannot be read counts as not set, as in the apps: it takes a
// member who writes nonsense, and must not cost the others their group.
func attribute(params *zkgroup.GroupSecretParams, ciphertext []byte) *servicepb.GroupAttributeBlob {
	blob := &servicepb.GroupAttributeBlob{}
	if len(ciphertext) == 0 || len(ciphertext) > maxText {
		return blob
	}
	plain, err := params.DecryptBlob(ciphertext)
	if err != nil || proto.Unmarshal(plain, blob) != nil {
		return &servicepb.GroupAttributeBlob{}
	}
	return blob
}

func title(params *zkgroup.GroupSecretParams, ciphertext []byte) string {
	return cleanText(attribute(params, ciphertext).GetTitle())
}

func description(params *zkgroup.GroupSecretParams, ciphertext []byte) string {
	return cleanText(attribute(params, ciphertext).GetDescriptionText())
}

func timer(params *zkgroup.GroupSecretParams, ciphertext []byte) uint32 {
	return attribute(params, ciphertext).GetDisappearingMessagesDuration()
}

// label decrypts a label or its emoji: text without a message around it.
func label(params *zkgroup.GroupSecretParams, ciphertext []byte) string {
	if len(ciphertext) == 0 || len(ciphertext) > maxText {
		return ""
	}
	plain, err := params.DecryptBlob(ciphertext)
	if err != nil {
		return ""
	}
	return cleanText(string(plain))
}

func cleanText(text string) string { return strings.TrimSpace(strings.ToValidUTF8(text, "\uFFFD")) }

// DecryptAvatar reads a group's picture as it is on the CDN.
func DecryptAvatar(params *zkgroup.GroupSecretParams, ciphertext []byte) ([]byte, error) {
	plain, err := params.DecryptBlob(ciphertext)
	if err != nil {
		return nil, fmt.Errorf("decrypt a group's picture: %w", err)
	}
	var blob servicepb.GroupAttributeBlob
	if err := proto.Unmarshal(plain, &blob); err != nil {
		return nil, fmt.Errorf("%w: a group's picture: %w", ErrMalformed, err)
	}
	if len(blob.GetAvatar()) == 0 {
		return nil, fmt.Errorf("%w: a group's picture without a picture", ErrMalformed)
	}
	return blob.GetAvatar(), nil
}

// EncryptAvatar writes a picture as it goes to the CDN. One that the service would not take is ErrTooLong.
func EncryptAvatar(random io.Reader, params *zkgroup.GroupSecretParams, picture []byte) ([]byte, error) {
	ciphertext, err := seal(random, params, &servicepb.GroupAttributeBlob{
		Content: &servicepb.GroupAttributeBlob_Avatar{Avatar: picture},
	})
	if err == nil && len(ciphertext) > MaxAvatarSize {
		err = fmt.Errorf("%w: a picture of %d bytes, where %d are allowed", ErrTooLong, len(picture), MaxAvatarSize-128)
	}
	return ciphertext, err
}

func seal(random io.Reader, params *zkgroup.GroupSecretParams, blob *servicepb.GroupAttributeBlob) ([]byte, error) {
	plain, err := proto.Marshal(blob)
	if err != nil {
		return nil, fmt.Errorf("encrypt an attribute of a group: %w", err)
	}
	return sealBytes(random, params, plain)
}

func sealBytes(random io.Reader, params *zkgroup.GroupSecretParams, plain []byte) ([]byte, error) {
	ciphertext, err := params.EncryptBlob(random, plain, 0)
	if err != nil {
		return nil, fmt.Errorf("encrypt an attribute of a group: %w", err)
	}
	return ciphertext, nil
}
