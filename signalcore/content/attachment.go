package content

import (
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const (
	defaultContentType = "application/octet-stream"

	// MaxAttachments is how many attachments a message may have (Signal-Desktop ts/textsecure/processDataMessage).
	MaxAttachments = 32

	attachmentKeySize = 64
	digestSize        = 32
	maxIncrementalMAC = 32 << 10
)

// Attachment is a pointer to an encrypted file on a CDN, and what the sender says about it.
type Attachment struct {
	// CDNNumber and one of CDNKey and CDNID say where it is.
	CDNNumber uint32
	CDNKey    string
	CDNID     uint64
	// Key decrypts it; Digest and IncrementalMAC check it.
	Key, Digest, IncrementalMAC []byte
	ChunkSize                   uint32
	// Size is that of the plaintext.
	Size uint32

	ContentType, FileName, Caption, BlurHash string
	Width, Height                            uint32
	VoiceNote, Borderless, GIF               bool
	// ClientUUID names it among the attachments of its message; 16 bytes or none.
	ClientUUID []byte
	// UploadTimestamp is in milliseconds.
	UploadTimestamp uint64

	// Problem says why it cannot be fetched; empty for a pointer that is complete.
	Problem string
}

func parseAttachment(p *servicepb.AttachmentPointer) Attachment {
	flags := servicepb.AttachmentPointer_Flags(p.GetFlags())
	a := Attachment{
		CDNNumber: p.GetCdnNumber(), CDNKey: p.GetCdnKey(), CDNID: p.GetCdnId(),
		Key: p.GetKey(), Digest: p.GetDigest(), IncrementalMAC: p.GetIncrementalMac(), ChunkSize: p.GetChunkSize(),
		Size:        p.GetSize(),
		ContentType: cleanContentType(p.GetContentType()), FileName: cleanFileName(p.GetFileName()),
		Caption: cleanText(p.GetCaption()), BlurHash: cleanText(p.GetBlurHash()),
		Width: p.GetWidth(), Height: p.GetHeight(),
		VoiceNote:  flags&servicepb.AttachmentPointer_VOICE_MESSAGE != 0,
		Borderless: flags&servicepb.AttachmentPointer_BORDERLESS != 0,
		GIF:        flags&servicepb.AttachmentPointer_GIF != 0,
		ClientUUID: p.GetClientUuid(), UploadTimestamp: p.GetUploadTimestamp(),
	}
	a.Problem = a.problem()
	return a
}

// problem is what makes it impossible to fetch or to check. A digest may be missing where an incremental MAC is.
func (a *Attachment) problem() string {
	switch {
	case a.CDNKey == "" && a.CDNID == 0:
		return "it does not say where it is"
	case len(a.Key) != attachmentKeySize:
		return "its key is malformed"
	case len(a.Digest) != digestSize && (len(a.Digest) != 0 || len(a.IncrementalMAC) == 0):
		return "its digest is malformed"
	case len(a.IncrementalMAC) > maxIncrementalMAC || len(a.IncrementalMAC)%digestSize != 0:
		return "its incremental MAC is malformed"
	}
	return ""
}

// Pointer returns the form in which the attachment travels.
func (a *Attachment) Pointer() *servicepb.AttachmentPointer {
	if a == nil {
		return nil
	}
	p := &servicepb.AttachmentPointer{
		ContentType: proto.String(a.ContentType), Key: a.Key, Size: proto.Uint32(a.Size), Digest: a.Digest,
		FileName: optional(a.FileName), Caption: optional(a.Caption), BlurHash: optional(a.BlurHash),
		Width: optional(a.Width), Height: optional(a.Height), Flags: optional(a.flags()),
		CdnNumber: proto.Uint32(a.CDNNumber), UploadTimestamp: optional(a.UploadTimestamp),
		IncrementalMac: a.IncrementalMAC, ChunkSize: optional(a.ChunkSize), ClientUuid: a.ClientUUID,
	}
	if a.CDNKey != "" {
		p.AttachmentIdentifier = &servicepb.AttachmentPointer_CdnKey{CdnKey: a.CDNKey}
	} else {
		p.AttachmentIdentifier = &servicepb.AttachmentPointer_CdnId{CdnId: a.CDNID}
	}
	return p
}

func (a *Attachment) flags() uint32 {
	var flags servicepb.AttachmentPointer_Flags
	if a.VoiceNote {
		flags |= servicepb.AttachmentPointer_VOICE_MESSAGE
	}
	if a.Borderless {
		flags |= servicepb.AttachmentPointer_BORDERLESS
	}
	if a.GIF {
		flags |= servicepb.AttachmentPointer_GIF
	}
	return uint32(flags)
}

// optional leaves a field out where the value is the zero of its type.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
