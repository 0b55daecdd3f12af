package statuscodes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/lenientjson"
	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
)

var update = flag.Bool("update", false, "write the golden file anew")

// TestTable pins numbers and names: clients depend on them.
func TestTable(t *testing.T) {
	var b strings.Builder
	for _, code := range All() {
		fmt.Fprintf(&b, "%d %s\n", int(code), code)
	}
	if *update {
		require.NoError(t, os.WriteFile("testdata/codes.golden", []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile("testdata/codes.golden")
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
	require.Equal(t, "code 27", Code(27).String())
	require.Equal(t, "code -2", Code(-2).String())
}

type codedError struct{ code Code }

func (e codedError) Error() string    { return "coded" }
func (e codedError) StatusCode() Code { return e.code }

func TestOf(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want Code
	}{
		{nil, Success},
		{errors.New("something"), Unknown},
		{context.Canceled, Unknown},
		{context.DeadlineExceeded, Timeout},
		{codedError{MissingReaction}, MissingReaction},
		{&lenientjson.SyntaxError{}, InvalidJSON},
		{&lenientjson.SyntaxError{Reason: lenientjson.TooLarge}, RequestTooLarge},
		{lenientjson.ErrBase64, InvalidAttachment},
		{lenientjson.ErrSpool, StorageError},
		{&model.CutShortError{Err: context.DeadlineExceeded}, Timeout},
		{&model.CutShortError{Err: model.ErrShuttingDown}, ShuttingDown},
		{&model.UntrustedIdentityError{}, UntrustedIdentity},
		{&model.RecordedError{Code: 13, Text: "not registered"}, UnregisteredRecipient},
		{&model.AttachmentError{Err: errors.New("no such file")}, InvalidAttachment},
		{&model.AttachmentError{Err: &service.NetworkError{Err: errors.New("reset")}}, NetworkError},
		{model.ErrNotLinked, NotLinked},
		{service.ErrUnlinked, NotLinked},
		{model.ErrAlreadyLinked, PermissionDenied},
		{model.ErrGroupNotFound, GroupNotFound},
		{model.ErrNotAGroupMember, NotAGroupMember},
		{model.ErrNotFound, NotFound},
		{model.ErrUnknownRecipient, UnregisteredRecipient},
		{service.ErrUnregistered, UnregisteredRecipient},
		{model.ErrKeyReused, InvalidArgument},
		{model.ErrStorage, StorageError},
		{model.ErrShuttingDown, ShuttingDown},
		{&service.RateLimitedError{}, RateLimited},
		{&service.ChallengeError{}, ChallengeRequired},
		{&service.NetworkError{Err: errors.New("reset")}, NetworkError},
		{&service.NetworkError{Err: context.DeadlineExceeded}, Timeout},
		{&service.MismatchedDevicesError{}, NetworkError},
		{&service.StaleDevicesError{}, NetworkError},
		{&service.StatusError{Code: 503}, NetworkError},
		{&service.StatusError{Code: 422}, Unknown},
		{service.ErrConnectedElsewhere, NetworkError},
	} {
		require.Equal(t, tc.want, Of(tc.err), "%v", tc.err)
		if tc.err != nil {
			require.Equal(t, tc.want, Of(fmt.Errorf("while sending: %w", tc.err)), "%v, wrapped", tc.err)
		}
	}
}

func TestDetails(t *testing.T) {
	require.Equal(t, Details{}, DetailsOf(errors.New("something")))
	require.Equal(t, Details{RetryAfterSeconds: 2},
		DetailsOf(fmt.Errorf("x: %w", &service.RateLimitedError{RetryAfter: 1001 * time.Millisecond})))
	require.Equal(t, Details{ChallengeToken: "t", ChallengeOptions: []string{"captcha"}},
		DetailsOf(&service.ChallengeError{Token: "t", Options: []string{"captcha"}}))
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"no account is linked here":            "No account is linked here.",
		"dataMessage.message must be a string": "dataMessage.message must be a string.",
		"reqId must be a string":               "reqId must be a string.",
		"TLS failed":                           "TLS failed.",
		"what?":                                "What?",
		"":                                     "Something went wrong.",
		"éa":                                   "Éa.",
		"x":                                    "X.",
	} {
		require.Equal(t, want, Sentence(errors.New(in)))
	}
}
