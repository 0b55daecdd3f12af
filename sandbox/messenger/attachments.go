package messenger

import (
	"bytes"
	"errors"
	"fmt"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/attachmentcipher"
)

const (
	// uploadCDN is the CDN that the service sends uploads to.
	uploadCDN = 3
	// attachmentsPath is below which CDNs have attachments.
	attachmentsPath = "attachments/"
)

// ErrAttachment is returned for an attachment that cannot be had.
var ErrAttachment = errors.New("the attachment cannot be had")

// Download fetches an attachment from its CDN, checks and decrypts it.
func (m *Messenger) Download(a *content.Attachment) ([]byte, error) {
	if a.Problem != "" {
		return nil, fmt.Errorf("%w: %s", ErrAttachment, a.Problem)
	}
	encrypted := m.world.CDN.Get(int(a.CDNNumber), attachmentsPath+a.CDNKey)
	if encrypted == nil {
		return nil, fmt.Errorf("%w: the CDN does not have it", ErrAttachment)
	}
	key, err := attachmentcipher.ParseKey(a.Key)
	if err != nil {
		return nil, err
	}
	var plaintext bytes.Buffer
	err = attachmentcipher.Decrypt(&plaintext, bytes.NewReader(encrypted), attachmentcipher.DecryptOptions{
		Key: key, Size: int64(a.Size), Digest: a.Digest, IncrementalMAC: a.IncrementalMAC, ChunkSize: a.ChunkSize,
	})
	return plaintext.Bytes(), err
}

// Upload encrypts data with a new key and puts it on a CDN. What the attachment looks like is a's, which is returned
// with where it is now.
func (m *Messenger) Upload(a content.Attachment, data []byte) (content.Attachment, error) {
	key, err := attachmentcipher.GenerateKey(m.world.Rand)
	if err != nil {
		return a, err
	}
	var encrypted bytes.Buffer
	result, err := attachmentcipher.Encrypt(&encrypted, bytes.NewReader(data), attachmentcipher.EncryptOptions{
		Key: key, Size: int64(len(data)), Random: m.world.Rand, Incremental: len(a.IncrementalMAC) > 0,
	})
	if err != nil {
		return a, fmt.Errorf("encrypt an attachment: %w", err)
	}
	form := m.world.CDN.NewForm(uploadCDN, result.EncryptedSize)
	m.world.CDN.Put(uploadCDN, attachmentsPath+form.Key, encrypted.Bytes())
	a.CDNNumber, a.CDNKey, a.CDNID = uploadCDN, form.Key, 0
	a.Key, a.Digest, a.Size = key[:], result.Digest[:], uint32(len(data))
	a.IncrementalMAC, a.ChunkSize = result.IncrementalMAC, result.ChunkSize
	a.UploadTimestamp, a.Problem = uint64(m.world.Now().UnixMilli()), ""
	return a, nil
}
