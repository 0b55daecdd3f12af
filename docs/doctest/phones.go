//go:build unix

package doctest

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// phones is a sandbox whose phones scan the linking codes of a document, each with an account of its own.
type phones struct {
	sandbox *Running
	address string
	client  *http.Client
	scanned map[string]bool
	// variable is what leads a signalbox to this service.
	variable string
}

// newPhones starts the sandbox at a port, in a directory. Its owner calls stop.
func newPhones(dir, port string, env []string) (*phones, error) {
	p := &phones{address: "127.0.0.1:" + port, scanned: map[string]bool{}}
	// Its certificate is its own, and only this process could be behind the port.
	p.client = &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, //nolint:gosec // see above
	}}
	var err error
	p.sandbox, err = Begin("signalbox --sandbox --sandbox-listen "+p.address, dir, append(env, "SIGNALBOX_PORT=0"))
	if err != nil {
		return nil, err
	}
	return p, p.describe(filepath.Join(dir, ".service.json"))
}

// describe keeps the service's description in a file.
func (p *phones) describe(path string) error {
	if err := p.sandbox.Await("connected", Connected); err != nil {
		return err
	}
	description, err := p.call(http.MethodGet, "/sandbox/description", nil)
	if err != nil {
		return err
	}
	p.variable = "SIGNALBOX_SERVICE=" + path
	return os.WriteFile(path, description, 0o600)
}

var linkingCode = regexp.MustCompile(`sgnl://linkdevice\?[^\s"]+`)

// look has a new account's phone scan the code in a line, if there is one that is new.
func (p *phones) look(line string) error {
	code := linkingCode.FindString(line)
	if code == "" || p.scanned[code] {
		return nil
	}
	p.scanned[code] = true
	number := fmt.Sprintf("+1202555012%d", len(p.scanned))
	if err := p.post("/sandbox/accounts", map[string]string{"number": number, "name": "Kiosk"}); err != nil {
		return err
	}
	return p.post("/sandbox/scan", map[string]string{"number": number, "uri": code})
}

func (p *phones) post(path string, body map[string]string) error {
	encoded, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("doctest: %w", err)
	}
	_, err = p.call(http.MethodPost, path, encoded)
	return err
}

func (p *phones) call(method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequest(method, "https://"+p.address+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	defer response.Body.Close()
	reply, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	if response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("doctest: %s: %s: %s", path, response.Status, strings.TrimSpace(string(reply)))
	}
	return reply, nil
}

func (p *phones) stop() error {
	if p == nil {
		return nil
	}
	return p.sandbox.Stop()
}
