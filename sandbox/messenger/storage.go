package messenger

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/content/storagecipher"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/signalpb/servicepb"
)

// readAtOnce is how many items are read with one call.
const readAtOnce = 500

// Stored reads all that the account has in the storage service, nothing where it has nothing yet. Items that do not
// open are left out.
func (m *Messenger) Stored(key accountkeys.StorageKey) ([]*servicepb.StorageRecord, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	authorization, err := m.storageAuthorization()
	if err != nil {
		return nil, fmt.Errorf("storage service: %w", err)
	}
	var sealed servicepb.StorageManifest
	err = m.storage(http.MethodGet, "/v1/storage/manifest", authorization, nil, &sealed)
	var refused *StatusError
	if errors.As(err, &refused) && refused.Status == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("storage service: %w", err)
	}
	manifest, err := storagecipher.OpenManifest(key, &sealed)
	if err != nil {
		return nil, fmt.Errorf("storage service: %w", err)
	}
	keys := storagecipher.ItemKeys{StorageKey: key, RecordIKM: manifest.GetRecordIkm()}
	var out []*servicepb.StorageRecord
	for ids := manifest.GetIdentifiers(); len(ids) > 0; {
		part := ids[:min(readAtOnce, len(ids))]
		ids = ids[len(part):]
		var read servicepb.ReadOperation
		for _, id := range part {
			read.ReadKey = append(read.ReadKey, id.GetRaw())
		}
		var items servicepb.StorageItems
		if err := m.storage(http.MethodPut, "/v1/storage/read", authorization, &read, &items); err != nil {
			return nil, fmt.Errorf("storage service: %w", err)
		}
		for _, item := range items.GetItems() {
			if record, err := keys.OpenItem(item); err == nil {
				out = append(out, record)
			}
		}
	}
	return out, nil
}

func (m *Messenger) storageAuthorization() (string, error) {
	var answer struct{ Username, Password string }
	if err := m.callJSON(m.own(http.MethodGet, "/v1/storage/auth", nil), nil, &answer); err != nil {
		return "", err
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(answer.Username+":"+answer.Password)), nil
}

func (m *Messenger) storage(method, path, authorization string, body, into proto.Message) error {
	call := &wire.Request{Method: method, Path: path, Header: http.Header{
		"Authorization": {authorization}, "Content-Type": {wire.MediaTypeProtobuf},
	}}
	if body != nil {
		var err error
		if call.Body, err = proto.Marshal(body); err != nil {
			return err
		}
	}
	response, err := m.call(call)
	if err != nil {
		return err
	}
	return proto.Unmarshal(response.Body, into)
}
