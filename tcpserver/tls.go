package tcpserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSFiles are the files of --tls-cert, --tls-key and --tls-client-ca.
type TLSFiles struct {
	Cert, Key string
	// ClientCA, unless empty, signs the certificates that clients must have.
	ClientCA string
}

// LoadTLS reads the files. With none named there is no TLS, and the result is nil.
func LoadTLS(files TLSFiles) (*tls.Config, error) {
	if files == (TLSFiles{}) {
		return nil, nil
	}
	if files.Cert == "" || files.Key == "" {
		return nil, errors.New("--tls-cert and --tls-key are needed together, also with --tls-client-ca")
	}
	certificate, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("TLS certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	if files.ClientCA == "" {
		return config, nil
	}
	pem, err := os.ReadFile(files.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("TLS client CA: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("TLS client CA: there is no certificate in %s", files.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}
