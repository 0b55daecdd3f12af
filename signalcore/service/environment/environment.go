// Package environment says where a Signal service is and which keys vouch for it: the live and the staging service of
// Signal, built in, or a file in the same JSON format.
//
// Sources of the built-in values: libsignal rust/net/src/env.rs, rust/attest/src/constants.rs and rust/net/res (hosts,
// enclaves, certificates), signal-cli LiveConfig and StagingConfig (trust roots, zkgroup parameters). No connection is
// opened here.
package environment

import (
	"crypto/x509"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
)

//go:embed live.json
var liveJSON []byte

//go:embed staging.json
var stagingJSON []byte

// maxFileSize bounds an environment file; the built-in ones have 6 KiB.
const maxFileSize = 1 << 20

// Environment describes one Signal service. All URLs are https.
type Environment struct {
	// Name is "live", "staging" or the path of the file.
	Name string `json:"-"`

	ChatURL    string            `json:"chatUrl"`
	StorageURL string            `json:"storageUrl"`
	CDNURLs    map[string]string `json:"cdnUrls"`

	// CDSIURL and CDSIMrenclave (hex) belong to contact discovery; both are empty where there is none.
	CDSIURL       string `json:"cdsiUrl"`
	CDSIMrenclave string `json:"cdsiMrenclave"`

	// CACertificates are the only roots trusted for TLS; the system's count where the list is empty.
	CACertificates []string `json:"caCertificates"`
	// SealedSenderTrustRoots are the serialised keys that sign server certificates, any of which will do.
	SealedSenderTrustRoots [][]byte `json:"sealedSenderTrustRoots"`

	ZKServerPublicParams        []byte `json:"zkServerPublicParams"`
	ZKGenericServerPublicParams []byte `json:"zkGenericServerPublicParams"`
	ZKBackupServerPublicParams  []byte `json:"zkBackupServerPublicParams"`

	roots *x509.CertPool
}

// FieldError is returned for a description whose field is missing or cannot be used.
type FieldError struct {
	Field  string
	Reason string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("service environment: field %s %s", e.Field, e.Reason)
}

// Load returns the environment that the --service option names: "live", "staging" or a file.
func Load(name string) (*Environment, error) {
	switch name {
	case "live":
		return parseAs(name, liveJSON)
	case "staging":
		return parseAs(name, stagingJSON)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("service environment: %w", err)
	}
	if info.Size() > maxFileSize {
		return nil, fmt.Errorf("service environment: %s is larger than %d bytes", name, maxFileSize)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("service environment: %w", err)
	}
	return parseAs(name, data)
}

func parseAs(name string, data []byte) (*Environment, error) {
	env, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	env.Name = name
	return env, nil
}

// Parse reads the JSON form and checks every field.
func Parse(data []byte) (*Environment, error) {
	var env Environment
	if err := json.Unmarshal(data, &env); err != nil {
		var mismatch *json.UnmarshalTypeError
		if errors.As(err, &mismatch) && mismatch.Field != "" {
			return nil, &FieldError{mismatch.Field, "cannot be a " + mismatch.Value}
		}
		return nil, fmt.Errorf("service environment: %w", err)
	}
	if err := env.check(); err != nil {
		return nil, err
	}
	return &env, nil
}

func (e *Environment) check() error {
	if err := e.checkURLs(); err != nil {
		return err
	}
	if err := e.checkKeys(); err != nil {
		return err
	}
	return e.readRoots()
}

func (e *Environment) checkURLs() error {
	required := map[string]string{"chatUrl": e.ChatURL, "storageUrl": e.StorageURL}
	for _, field := range []string{"chatUrl", "storageUrl"} {
		if err := checkURL(field, required[field]); err != nil {
			return err
		}
	}
	if len(e.CDNURLs) == 0 {
		return &FieldError{"cdnUrls", "is missing"}
	}
	for number, address := range e.CDNURLs {
		if err := checkURL("cdnUrls."+number, address); err != nil {
			return err
		}
	}
	if e.CDSIURL == "" && e.CDSIMrenclave == "" {
		return nil
	}
	if err := checkURL("cdsiUrl", e.CDSIURL); err != nil {
		return err
	}
	if e.CDSIMrenclave == "" {
		return &FieldError{"cdsiMrenclave", "is missing"}
	}
	if id, err := hex.DecodeString(e.CDSIMrenclave); err != nil || len(id) != 32 {
		return &FieldError{"cdsiMrenclave", "is not 32 bytes in hexadecimal"}
	}
	return nil
}

func checkURL(field, address string) error {
	if address == "" {
		return &FieldError{field, "is missing"}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return &FieldError{field, "is not an https URL"}
	}
	return nil
}

func (e *Environment) checkKeys() error {
	if len(e.SealedSenderTrustRoots) == 0 {
		return &FieldError{"sealedSenderTrustRoots", "is missing"}
	}
	for _, root := range e.SealedSenderTrustRoots {
		if len(root) != 33 || root[0] != 0x05 {
			return &FieldError{"sealedSenderTrustRoots", "holds something that is not a public key"}
		}
	}
	for _, params := range []struct {
		field string
		value []byte
	}{
		{"zkServerPublicParams", e.ZKServerPublicParams},
		{"zkGenericServerPublicParams", e.ZKGenericServerPublicParams},
		{"zkBackupServerPublicParams", e.ZKBackupServerPublicParams},
	} {
		if len(params.value) == 0 {
			return &FieldError{params.field, "is missing"}
		}
	}
	return nil
}

func (e *Environment) readRoots() error {
	if len(e.CACertificates) == 0 {
		return nil
	}
	e.roots = x509.NewCertPool()
	for _, certificate := range e.CACertificates {
		if !e.roots.AppendCertsFromPEM([]byte(certificate)) {
			return &FieldError{"caCertificates", "holds something that is not a PEM certificate"}
		}
	}
	return nil
}

// Roots returns the certificates trusted for TLS, or nil for those of the system.
func (e *Environment) Roots() *x509.CertPool { return e.roots }

// CDN returns the base URL of a content delivery network, without a slash at the end.
func (e *Environment) CDN(number uint32) (string, error) {
	address, ok := e.CDNURLs[fmt.Sprint(number)]
	if !ok {
		return "", &FieldError{fmt.Sprintf("cdnUrls.%d", number), "is missing"}
	}
	return address, nil
}
