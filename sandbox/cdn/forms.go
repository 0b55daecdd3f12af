package cdn

import (
	"context"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/signalpb/grpcpb"
)

const maxFormBody = 16 << 20

// Form is AttachmentDescriptorV3: where and how one attachment is to be uploaded.
type Form struct {
	CDN      int               `json:"cdn"`
	Key      string            `json:"key"`
	Headers  map[string]string `json:"headers"`
	Location string            `json:"signedUploadLocation"`
}

// Routes adds the call for forms to the chat host, Methods its successor.
func (s *Store) Routes(rt *wire.Router) {
	rt.Handle(http.MethodGet, "/v4/attachments/form/upload", wire.DeviceOnly, s.uploadForm)
}

// Methods adds the gRPC call for forms.
func (s *Store) Methods(server *wire.Server) {
	server.HandleMethod("org.signal.chat.attachments.Attachments/GetUploadForm", s.uploadFormGRPC)
}

// uploadForm is AttachmentControllerV4.getAttachmentUploadForm.
func (s *Store) uploadForm(_ context.Context, r *wire.Request) (*wire.Response, error) {
	size := int64(maxUpload)
	if text := r.Query.Get("uploadLength"); text != "" {
		var err error
		size, err = strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
			return nil, wire.Refuse(http.StatusNotFound)
		case size <= 0:
			return nil, wire.InvalidParameter()
		}
	}
	if size > maxUpload {
		return nil, wire.Refuse(http.StatusRequestEntityTooLarge)
	}
	return wire.JSON(s.NewForm(3, size))
}

// uploadFormGRPC is AttachmentsGrpcService.getUploadForm.
func (s *Store) uploadFormGRPC(_ context.Context, by *wire.Device, message []byte) (proto.Message, error) {
	if by == nil {
		return nil, wire.InvalidCredentials()
	}
	var request grpcpb.GetUploadFormRequest
	if proto.Unmarshal(message, &request) != nil || request.GetUploadLength() == 0 {
		return nil, wire.InvalidArgument()
	}
	if request.GetUploadLength() > maxUpload {
		return &grpcpb.GetUploadFormResponse{Outcome: &grpcpb.GetUploadFormResponse_ExceedsMaxUploadLength{
			ExceedsMaxUploadLength: &grpcpb.FailedPrecondition{},
		}}, nil
	}
	form := s.NewForm(3, int64(request.GetUploadLength()))
	return &grpcpb.GetUploadFormResponse{Outcome: &grpcpb.GetUploadFormResponse_UploadForm{UploadForm: &grpcpb.UploadForm{
		Cdn: uint32(form.CDN), Key: form.Key, Headers: form.Headers, SignedUploadLocation: form.Location,
	}}}, nil
}

// NewForm gives leave to upload size bytes at most to CDN 2 or 3 (GcsAttachmentGenerator, TusAttachmentGenerator).
func (s *Store) NewForm(number int, size int64) Form {
	key := newKey()
	ticket := s.ticket(key, size)
	if number == 2 {
		return Form{
			CDN: 2, Key: key, Location: s.base + "/cdn2/upload/" + key + "?ticket=" + url.QueryEscape(ticket),
			Headers: map[string]string{
				"host": s.host(), "x-goog-content-length-range": lengthRange(size), "x-goog-resumable": "start",
			},
		}
	}
	return Form{
		CDN: 3, Key: key, Location: s.base + "/cdn3/attachments",
		Headers: map[string]string{
			"Authorization":   "Bearer " + ticket,
			"Upload-Metadata": "filename " + base64.StdEncoding.EncodeToString([]byte(key)),
		},
	}
}

// host is where the CDNs are, as requests name it.
func (s *Store) host() string {
	base, err := url.Parse(s.base)
	if err != nil {
		return ""
	}
	return base.Host
}

func lengthRange(size int64) string { return "1," + strconv.FormatInt(size, 10) }

// signed reports whether the beginning of an upload has the headers that the form's address is signed with
// (CanonicalRequestGenerator).
func (s *Store) signed(r *http.Request, size int64) bool {
	return r.Host == s.host() && r.Header.Get("X-Goog-Content-Length-Range") == lengthRange(size) &&
		r.Header.Get("X-Goog-Resumable") == "start"
}

// PostPolicy is leave to put one picture on CDN 0 (PostPolicyGenerator). The names are those of the form's fields.
type PostPolicy struct {
	Key, Credential, ACL, Algorithm, Date, Policy, Signature string
}

// The parts of a policy that are the same for all.
const (
	policyACL        = "private"
	policyAlgorithm  = "AWS4-HMAC-SHA256"
	policyCredential = "sandbox/20260101/us-east-1/s3/aws4_request"
)

type policyText struct {
	Expiration time.Time `json:"expiration"`
	Key        string    `json:"key"`
	MaxSize    int64     `json:"maxSize"`
}

// NewPolicy gives leave to upload maxSize bytes at most under a key.
func (s *Store) NewPolicy(key string, maxSize int64) (PostPolicy, error) {
	now := s.now().UTC()
	text, err := json.Marshal(policyText{now.Add(formLife), key, maxSize})
	if err != nil {
		return PostPolicy{}, err
	}
	policy := base64.StdEncoding.EncodeToString(text)
	return PostPolicy{
		Key: key, Credential: policyCredential, ACL: policyACL, Algorithm: policyAlgorithm,
		Date: now.Format("20060102T150405Z"), Policy: policy, Signature: s.sign(policy),
	}, nil
}

// postForm is S3's POST: fields of the policy, and the file as the last part. 204, or 403 for what the policy does not
// allow.
func (s *Store) postForm(w http.ResponseWriter, r *http.Request) {
	reader, err := r.MultipartReader()
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	fields := map[string]string{}
	for len(fields) < 32 {
		part, err := reader.NextPart()
		if err != nil {
			break
		}
		data, err := io.ReadAll(io.LimitReader(part, maxFormBody))
		if err != nil {
			break
		}
		if part.FormName() == "file" {
			s.storePicture(w, fields, data)
			return
		}
		fields[part.FormName()] = string(data)
	}
	w.WriteHeader(http.StatusBadRequest)
}

func (s *Store) storePicture(w http.ResponseWriter, fields map[string]string, data []byte) {
	var policy policyText
	text, err := base64.StdEncoding.DecodeString(fields["policy"])
	if err == nil {
		err = json.Unmarshal(text, &policy)
	}
	signed := hmac.Equal([]byte(s.sign(fields["policy"])), []byte(fields["x-amz-signature"]))
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case !signed || policy.Key != fields["key"] || s.now().After(policy.Expiration) || fields["acl"] != policyACL ||
		fields["x-amz-algorithm"] != policyAlgorithm || fields["x-amz-credential"] != policyCredential ||
		fields["x-amz-date"] == "":
		w.WriteHeader(http.StatusForbidden)
	case int64(len(data)) > policy.MaxSize:
		w.WriteHeader(http.StatusBadRequest) // EntityTooLarge
	case s.Put(0, policy.Key, data) != nil:
		w.WriteHeader(http.StatusInsufficientStorage)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
