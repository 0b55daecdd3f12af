package statuscodes

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/lenientjson"
	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/service/cdn"
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
		{&model.AttachmentError{Err: cdn.ErrRefused}, NetworkError},
		{errors.Join(service.ErrUnauthorized, service.ErrUnlinked), NotLinked},
		{&service.NetworkError{Err: context.DeadlineExceeded}, Timeout},
		{&service.StatusError{Code: 422}, Unknown},
		{&model.GroupPartError{Part: "ban", Err: model.ErrPermission}, PermissionDenied},
		{errors.Join(model.ErrGroupNotFound, service.ErrNoGroup), GroupNotFound},
	} {
		require.Equal(t, tc.want, Of(tc.err), "%v", tc.err)
		if tc.err != nil {
			require.Equal(t, tc.want, Of(fmt.Errorf("while sending: %w", tc.err)), "%v, wrapped", tc.err)
		}
	}
}

// typed are the errors of the packages whose errors reach a caller, each with its code.
var typed = map[string]struct {
	err  error
	want Code
}{
	"model.ErrNotLinked":             {model.ErrNotLinked, NotLinked},
	"model.ErrAlreadyLinked":         {model.ErrAlreadyLinked, PermissionDenied},
	"model.ErrGroupNotFound":         {model.ErrGroupNotFound, GroupNotFound},
	"model.ErrNotAGroupMember":       {model.ErrNotAGroupMember, NotAGroupMember},
	"model.ErrNotFound":              {model.ErrNotFound, NotFound},
	"model.ErrUnknownRecipient":      {model.ErrUnknownRecipient, UnregisteredRecipient},
	"model.ErrKeyReused":             {model.ErrKeyReused, InvalidArgument},
	"model.ErrStorage":               {model.ErrStorage, StorageError},
	"model.ErrShuttingDown":          {model.ErrShuttingDown, ShuttingDown},
	"model.ErrPermission":            {model.ErrPermission, PermissionDenied},
	"model.UntrustedIdentityError":   {&model.UntrustedIdentityError{}, UntrustedIdentity},
	"model.AttachmentError":          {&model.AttachmentError{Err: errors.New("no such file")}, InvalidAttachment},
	"model.CutShortError":            {&model.CutShortError{Err: context.DeadlineExceeded}, Timeout},
	"model.RecordedError":            {&model.RecordedError{Code: 13, Text: "not registered"}, UnregisteredRecipient},
	"model.GroupPartError":           {&model.GroupPartError{Err: model.ErrNotAGroupMember}, NotAGroupMember},
	"service.ErrUnauthorized":        {service.ErrUnauthorized, NetworkError},
	"service.ErrUnlinked":            {service.ErrUnlinked, NotLinked},
	"service.ErrConnectedElsewhere":  {service.ErrConnectedElsewhere, NetworkError},
	"service.ErrUnregistered":        {service.ErrUnregistered, UnregisteredRecipient},
	"service.ErrOutdated":            {service.ErrOutdated, NetworkError},
	"service.ErrTooLarge":            {service.ErrTooLarge, InvalidAttachment},
	"service.ErrClosed":              {service.ErrClosed, NetworkError},
	"service.ErrProtocol":            {service.ErrProtocol, NetworkError},
	"service.ErrNoGRPC":              {service.ErrNoGRPC, NetworkError},
	"service.ErrLinkCode":            {service.ErrLinkCode, NotFound},
	"service.ErrTooManyDevices":      {service.ErrTooManyDevices, PermissionDenied},
	"service.ErrMissingCapability":   {service.ErrMissingCapability, PermissionDenied},
	"service.ErrGroupConflict":       {service.ErrGroupConflict, NetworkError},
	"service.ErrGroupExists":         {service.ErrGroupExists, NetworkError},
	"service.ErrGroupRejected":       {service.ErrGroupRejected, InvalidArgument},
	"service.ErrGroupForbidden":      {service.ErrGroupForbidden, PermissionDenied},
	"service.ErrNotInGroup":          {service.ErrNotInGroup, NotAGroupMember},
	"service.ErrNoGroup":             {service.ErrNoGroup, GroupNotFound},
	"service.ErrGroupLink":           {service.ErrGroupLink, NotFound},
	"service.ErrGroupBanned":         {service.ErrGroupBanned, PermissionDenied},
	"service.ErrNoProfileCredential": {service.ErrNoProfileCredential, NetworkError},
	"service.MismatchedDevicesError": {&service.MismatchedDevicesError{}, NetworkError},
	"service.StaleDevicesError":      {&service.StaleDevicesError{}, NetworkError},
	"service.MultiDevicesError":      {&service.MultiDevicesError{}, NetworkError},
	"service.RateLimitedError":       {&service.RateLimitedError{}, RateLimited},
	"service.ChallengeError":         {&service.ChallengeError{}, ChallengeRequired},
	"service.NetworkError":           {&service.NetworkError{Err: errors.New("reset")}, NetworkError},
	"service.StatusError":            {&service.StatusError{Code: 503}, NetworkError},
	"service.StorageConflictError":   {&service.StorageConflictError{}, NetworkError},
	"service.GRPCError":              {&service.GRPCError{}, Unknown}, // nothing is known of what it means
	"cdn.ErrNotFound":                {cdn.ErrNotFound, NotFound},
	"cdn.ErrRefused":                 {cdn.ErrRefused, NetworkError},
	"group.ErrMalformed":             {group.ErrMalformed, NetworkError},
	"group.ErrState":                 {group.ErrState, NetworkError},
	"group.ErrSignature":             {group.ErrSignature, NetworkError},
	"group.ErrTooNew":                {group.ErrTooNew, NetworkError},
	"group.ErrRevision":              {group.ErrRevision, NetworkError},
	"group.ErrNotApplicable":         {group.ErrNotApplicable, NetworkError},
	"group.ErrRule":                  {group.ErrRule, InvalidArgument},
	"group.ErrTooLong":               {group.ErrTooLong, InvalidArgument},
	"group.ErrFull":                  {group.ErrFull, InvalidArgument},
	"group.ErrLastAdmin":             {group.ErrLastAdmin, InvalidArgument},
	"group.ErrLink":                  {group.ErrLink, InvalidArgument},
	"group.ErrApart":                 {group.ErrApart, InvalidArgument},
	"group.ErrNotAdmin":              {group.ErrNotAdmin, PermissionDenied},
	"group.ErrTerminated":            {group.ErrTerminated, PermissionDenied},
	"group.ErrBanned":                {group.ErrBanned, PermissionDenied},
	"zkgroup.ErrMalformed":           {zkgroup.ErrMalformed, NetworkError},
	"zkgroup.ErrVerification":        {zkgroup.ErrVerification, NetworkError},
}

// TestEveryTypedError: an error that is added to one of these packages needs a code, or a reason to be Unknown.
func TestEveryTypedError(t *testing.T) {
	found := 0
	for _, dir := range []string{"model", "service", "service/cdn", "group", "protocol/zkgroup"} {
		for _, name := range errorsOf(t, filepath.Join("..", "signalcore", dir)) {
			tc, ok := typed[path.Base(dir)+"."+name]
			require.True(t, ok, "%s.%s has no code here", path.Base(dir), name)
			require.Equal(t, tc.want, Of(tc.err), name)
			require.Equal(t, tc.want, Of(fmt.Errorf("while sending: %w", tc.err)), "%s, wrapped", name)
			found++
		}
	}
	require.Len(t, typed, found)
}

// errorsOf reads the exported errors of a package from its source: variables that begin with Err, types that end in
// Error.
func errorsOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	var names []string
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range file.Decls {
			if general, ok := declaration.(*ast.GenDecl); ok {
				names = append(names, errorNames(general)...)
			}
		}
	}
	require.NotEmpty(t, names, dir)
	return names
}

func errorNames(declaration *ast.GenDecl) []string {
	var names []string
	for _, spec := range declaration.Specs {
		switch spec := spec.(type) {
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if declaration.Tok == token.VAR && strings.HasPrefix(name.Name, "Err") {
					names = append(names, name.Name)
				}
			}
		case *ast.TypeSpec:
			if spec.Name.IsExported() && strings.HasSuffix(spec.Name.Name, "Error") {
				names = append(names, spec.Name.Name)
			}
		}
	}
	return names
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
