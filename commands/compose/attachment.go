package compose

import (
	"bytes"
	"fmt"
	"image"
	_ "image/gif"  // for its size
	_ "image/jpeg" // likewise
	_ "image/png"  // likewise
	"io"
	"mime"
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
	"signalbox/statuscodes"
)

const (
	// maxAttachmentSize is what the apps take (Signal-Android RemoteConfig, global.attachments.maxBytes).
	maxAttachmentSize = 100 << 20
	maxCaption        = 2000
	maxDimension      = 1 << 16
	maxBlurHash       = 100
	// headSize is how much of a file is looked at for its type and size.
	headSize = 256 << 10
)

// Attachment is a file to send.
type Attachment struct {
	Base64Data  model.Blob `json:"base64Data" jsonschema:"required,description=the file in base64"`
	Filename    string     `json:"filename,omitempty" jsonschema:"description=as the recipient sees it"`
	ContentType string     `json:"contentType,omitempty" jsonschema:"description=looked up in the data when absent"`
	Caption     string     `json:"caption,omitempty" jsonschema:"description=text under the picture"`
	VoiceNote   bool       `json:"voiceNote,omitempty" jsonschema:"description=show it as a voice message"`
	Borderless  bool       `json:"borderless,omitempty" jsonschema:"description=show the picture without a frame\\, as stickers are"`
	Width       uint32     `json:"width,omitempty" jsonschema:"description=in pixels"`
	Height      uint32     `json:"height,omitempty" jsonschema:"description=in pixels"`
	BlurHash    string     `json:"blurHash,omitempty" jsonschema:"description=a blurred preview"`
}

func badAttachment(field, format string, args ...any) error {
	return &Error{statuscodes.InvalidAttachment, field, fmt.Sprintf(format, args...)}
}

func (b *builder) attachments(out *content.Message, m *DataMessage) error {
	if len(m.Attachments) > content.MaxAttachments {
		return badArgument("dataMessage.attachments", "are more than %d", content.MaxAttachments)
	}
	out.Attachments = make([]content.Attachment, len(m.Attachments))
	for i, in := range m.Attachments {
		field := fmt.Sprintf("dataMessage.attachments[%d]", i)
		a, err := in.build(field, field+".base64Data")
		if err != nil {
			return err
		}
		out.Attachments[i] = a
		b.uploads[&out.Attachments[i]] = in.Base64Data
	}
	return nil
}

// attachment makes one of nothing but the data at a field.
func (b *builder) attachment(field string, data model.Blob) (*content.Attachment, error) {
	in := Attachment{Base64Data: data}
	a, err := in.build(field, field)
	if err != nil {
		return nil, err
	}
	b.uploads[&a] = data
	return &a, nil
}

// build checks the attachment at one field of the request, whose data is at another.
func (in *Attachment) build(field, dataField string) (content.Attachment, error) {
	if in.Base64Data.Open == nil {
		return content.Attachment{}, badAttachment(dataField, "is missing")
	}
	if in.Base64Data.Size > maxAttachmentSize {
		return content.Attachment{}, badAttachment(dataField, "is larger than %d MiB", maxAttachmentSize>>20)
	}
	if err := in.check(field); err != nil {
		return content.Attachment{}, err
	}
	head, err := headOf(in.Base64Data)
	if err != nil {
		return content.Attachment{}, badAttachment(dataField, "cannot be read: %v", err)
	}
	a := content.Attachment{
		Size: uint32(in.Base64Data.Size), ContentType: in.ContentType, FileName: in.Filename, Caption: in.Caption,
		VoiceNote: in.VoiceNote, Borderless: in.Borderless, Width: in.Width, Height: in.Height, BlurHash: in.BlurHash,
	}
	if a.ContentType == "" {
		a.ContentType = sniff(head)
	}
	if a.Width == 0 && a.Height == 0 {
		if config, _, err := image.DecodeConfig(bytes.NewReader(head)); err == nil {
			a.Width, a.Height = uint32(config.Width), uint32(config.Height)
		}
	}
	return a, nil
}

func (in *Attachment) check(field string) error {
	switch {
	case in.ContentType != "" && !isMediaType(in.ContentType):
		return badArgument(field+".contentType", "is not a media type")
	case len(in.Caption) > maxCaption:
		return badArgument(field+".caption", "is longer than %d bytes", maxCaption)
	case in.Width > maxDimension || in.Height > maxDimension:
		return badArgument(field+".width", "or height is out of range")
	case len(in.BlurHash) > maxBlurHash:
		return badArgument(field+".blurHash", "is too long")
	}
	return nil
}

func isMediaType(s string) bool {
	mediaType, _, err := mime.ParseMediaType(s)
	return err == nil && strings.Count(mediaType, "/") == 1 && len(s) < 128
}

// MediaType looks up in the data what a file is.
func MediaType(data model.Blob) (string, error) {
	head, err := headOf(data)
	return sniff(head), err
}

func headOf(blob model.Blob) ([]byte, error) {
	r, err := blob.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, headSize))
}

// sniff returns the media type of the data, without parameters.
func sniff(head []byte) string {
	mediaType, _, _ := strings.Cut(mimetype.Detect(head).String(), ";")
	return mediaType
}

func blobOf(data []byte) model.Blob {
	return model.Blob{Size: int64(len(data)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}
