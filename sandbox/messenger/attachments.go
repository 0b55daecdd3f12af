package messenger

import (
	"errors"
	"fmt"
	"io"
	"sync"

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

// Download fetches an attachment from its CDN, checks and decrypts it. What was written counts only without an error.
func (m *Messenger) Download(a *content.Attachment, provisional io.Writer) error {
	if a.Problem != "" {
		return fmt.Errorf("%w: %s", ErrAttachment, a.Problem)
	}
	encrypted, err := m.world.CDN.Open(int(a.CDNNumber), attachmentsPath+a.CDNKey)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrAttachment, err)
	}
	defer encrypted.Close() //nolint:errcheck // it was read
	key, err := attachmentcipher.ParseKey(a.Key)
	if err != nil {
		return err
	}
	return attachmentcipher.Decrypt(provisional, encrypted, attachmentcipher.DecryptOptions{
		Key: key, Size: int64(a.Size), Digest: a.Digest, IncrementalMAC: a.IncrementalMAC, ChunkSize: a.ChunkSize,
	})
}

// UploadAgain is Download and Upload, with the attachment never whole in memory.
func (m *Messenger) UploadAgain(a content.Attachment) (content.Attachment, error) {
	reader, writer := io.Pipe()
	var downloading sync.WaitGroup
	var failed error
	downloading.Go(func() {
		failed = m.Download(&a, writer)
		_ = writer.CloseWithError(failed) // the end, where it is nil
	})
	renewed, err := m.Upload(a, reader, int64(a.Size))
	_ = reader.Close()
	downloading.Wait()
	if failed != nil && !errors.Is(failed, io.ErrClosedPipe) {
		return a, failed
	}
	return renewed, err
}

// Upload encrypts so many bytes of data with a new key and puts them on a CDN. What the attachment looks like is a's,
// which is returned with where it is now.
func (m *Messenger) Upload(a content.Attachment, data io.Reader, size int64) (content.Attachment, error) {
	key, err := attachmentcipher.GenerateKey(m.world.Rand)
	if err != nil {
		return a, err
	}
	var result attachmentcipher.Encrypted
	form := m.world.CDN.NewForm(uploadCDN, attachmentcipher.EncryptedSize(size))
	err = m.world.CDN.PutFrom(uploadCDN, attachmentsPath+form.Key, func(w io.Writer) (err error) {
		result, err = attachmentcipher.Encrypt(w, data, attachmentcipher.EncryptOptions{
			Key: key, Size: size, Random: m.world.Rand, Incremental: len(a.IncrementalMAC) > 0,
		})
		return err
	})
	if err != nil {
		return a, fmt.Errorf("upload an attachment: %w", err)
	}
	a.CDNNumber, a.CDNKey, a.CDNID = uploadCDN, form.Key, 0
	a.Key, a.Digest, a.Size = key[:], result.Digest[:], uint32(size)
	a.IncrementalMAC, a.ChunkSize = result.IncrementalMAC, result.ChunkSize
	a.UploadTimestamp, a.Problem = uint64(m.world.Now().UnixMilli()), ""
	return a, nil
}
