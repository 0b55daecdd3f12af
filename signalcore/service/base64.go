package service

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// base64Bytes is a byte string in JSON. The service writes some with padding and some without, and reads both.
type base64Bytes []byte

func (b base64Bytes) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.StdEncoding.EncodeToString(b))
}

func (b *base64Bytes) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return err
	}
	*b = decoded
	return nil
}
