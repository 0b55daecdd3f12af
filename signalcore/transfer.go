package signalcore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gabriel-vasile/mimetype"

	"signalbox/signalcore/content"
	"signalbox/signalcore/content/attachmentcipher"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service/cdn"
	"signalbox/signalcore/signalpb/servicepb"
)

// maxAttachment bounds what is fetched for an attachment; the apps send at most 100 MiB.
const maxAttachment = 256 << 20

// uploadAttachment encrypts a blob to disk, uploads it, and says in the pointer where and how it is to be found.
func (c *Client) uploadAttachment(ctx context.Context, blob model.Blob, pointer *content.Attachment) error {
	key, err := attachmentcipher.GenerateKey(c.config.Rand)
	if err != nil {
		return err
	}
	if err := c.store.RoomForFiles(attachmentcipher.EncryptedSize(blob.Size)); err != nil {
		return storageError(err)
	}
	temp, err := c.store.CreateTemp()
	if err != nil {
		return storageError(err)
	}
	defer removeTemp(temp)
	way := c.transfers.begin(model.Transfer{Outgoing: true, Size: blob.Size, Preparing: true})
	defer way.end()
	encrypted, err := c.encryptBlob(temp, blob, key, pointer)
	if err != nil {
		return err
	}
	l, err := c.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	form, err := l.auth.UploadForm(ctx, encrypted.EncryptedSize)
	if err != nil {
		return notLeft(err)
	}
	began := c.config.Now()
	way.moves()
	if err := cdn.New(c.network).Upload(ctx, form, sentFrom{temp, way}, encrypted.EncryptedSize); err != nil {
		return notLeft(err)
	}
	c.log.Info().Int64("bytes", blob.Size).Stringer("took", c.config.Now().Sub(began).Round(time.Millisecond)).
		Msg("attachment uploaded")
	pointer.CDNNumber, pointer.CDNKey = form.CDN, form.Key
	pointer.Key, pointer.Digest, pointer.Size = key[:], encrypted.Digest[:], uint32(blob.Size)
	pointer.IncrementalMAC, pointer.ChunkSize = encrypted.IncrementalMAC, encrypted.ChunkSize
	pointer.UploadTimestamp = uint64(c.config.Now().UnixMilli())
	return nil
}

// encryptBlob writes the encrypted form into a file, and finds out what the blob is where nobody said.
func (c *Client) encryptBlob(
	into *os.File, blob model.Blob, key attachmentcipher.Key, pointer *content.Attachment,
) (attachmentcipher.Encrypted, error) {
	if pointer.ContentType == "" {
		kind, err := sniff(blob)
		if err != nil {
			return attachmentcipher.Encrypted{}, err
		}
		pointer.ContentType = kind
	}
	from, err := openBlob(blob)
	if err != nil {
		return attachmentcipher.Encrypted{}, err
	}
	defer from.Close()
	encrypted, err := attachmentcipher.Encrypt(into, from, attachmentcipher.EncryptOptions{
		Key: key, Size: blob.Size, Random: c.config.Rand,
	})
	if err != nil {
		return encrypted, storageError(fmt.Errorf("encrypting the attachment: %w", err))
	}
	return encrypted, nil
}

func openBlob(blob model.Blob) (io.ReadCloser, error) {
	if blob.Open == nil {
		return io.NopCloser(errReader{io.EOF}), nil
	}
	return blob.Open()
}

// errReader has nothing to read but an error.
type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }

func sniff(blob model.Blob) (string, error) {
	from, err := openBlob(blob)
	if err != nil {
		return "", err
	}
	defer from.Close()
	kind, err := mimetype.DetectReader(from)
	if err != nil {
		return "", err
	}
	return kind.String(), nil
}

// downloadAttachment fetches, checks and decrypts what a pointer points to. What was written is to be trusted only when
// it returns nil.
func (c *Client) downloadAttachment(ctx context.Context, pointer *servicepb.AttachmentPointer, into io.Writer) error {
	key, err := attachmentcipher.ParseKey(pointer.GetKey())
	if err != nil {
		return err
	}
	if int64(pointer.GetSize()) > maxAttachment {
		return fmt.Errorf("%w: %d bytes", errTooLarge, pointer.GetSize())
	}
	from := cdn.Location{CDN: pointer.GetCdnNumber(), Key: pointer.GetCdnKey(), ID: pointer.GetCdnId()}
	reader, writer := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fetched := make(chan error, 1)
	go func() { // ends with the download, which ends with ctx or the reader
		_, err := cdn.New(c.network).Download(ctx, from, writer, 2*attachmentcipher.EncryptedSize(int64(pointer.GetSize())))
		_ = writer.CloseWithError(err)
		fetched <- err
	}()
	way := c.transfers.begin(model.Transfer{Size: int64(pointer.GetSize())})
	defer way.end()
	err = attachmentcipher.Decrypt(receivedInto{into, way}, reader, attachmentcipher.DecryptOptions{
		Key: key, Size: int64(pointer.GetSize()), Digest: pointer.GetDigest(),
		IncrementalMAC: pointer.GetIncrementalMac(), ChunkSize: pointer.GetChunkSize(),
	})
	cancel()
	_ = reader.CloseWithError(err)
	if lost := <-fetched; lost != nil && !errors.Is(lost, context.Canceled) && !errors.Is(lost, io.ErrClosedPipe) {
		return lost
	}
	return err
}

var errTooLarge = errors.New("larger than an attachment may be")

func removeTemp(temp *os.File) {
	_ = temp.Close()
	_ = os.Remove(temp.Name())
}
