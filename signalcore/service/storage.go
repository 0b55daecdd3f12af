package service

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

const contentTypeProtobuf = "application/x-protobuf"

// StorageConflictError is 409 on a write: someone else wrote first. Current is the manifest that stands.
type StorageConflictError struct {
	Current *servicepb.StorageManifest
}

func (e *StorageConflictError) Error() string {
	return fmt.Sprintf("the storage service has version %d already", e.Current.GetVersion())
}

// Storage is the storage service, with the credentials that Authenticated.StorageCredentials gives for a day. Manifest
// and items are encrypted; that is not undone here.
type Storage struct {
	rest *REST
}

// Storage reaches the storage service.
func (n *Network) Storage(credentials Credentials) *Storage {
	return &Storage{&REST{network: n, base: n.env.StorageURL, credentials: &credentials}}
}

// Manifest fetches the manifest if it is newer than version; otherwise, and where there is none, it returns nil.
func (s *Storage) Manifest(ctx context.Context, newerThan uint64) (*servicepb.StorageManifest, error) {
	path := "/v1/storage/manifest"
	if newerThan > 0 {
		path += "/version/" + strconv.FormatUint(newerThan, 10)
	}
	response, err := s.rest.Do(ctx, &Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	if response.Status == http.StatusNoContent || response.Status == http.StatusNotFound {
		return nil, nil
	}
	if err := response.Err(); err != nil {
		return nil, err
	}
	manifest := &servicepb.StorageManifest{}
	return manifest, decodeProto(response.Body, manifest)
}

// Items fetches items by their keys (PUT /v1/storage/read). ErrTooLarge means that these are too many at once.
func (s *Storage) Items(ctx context.Context, keys [][]byte) ([]*servicepb.StorageItem, error) {
	response, err := s.put(ctx, "/v1/storage/read", &servicepb.ReadOperation{ReadKey: keys})
	if err != nil {
		return nil, err
	}
	if response.Status == http.StatusRequestEntityTooLarge {
		return nil, fmt.Errorf("%d storage items: %w", len(keys), ErrTooLarge)
	}
	if err := response.Err(); err != nil {
		return nil, err
	}
	var items servicepb.StorageItems
	if err := decodeProto(response.Body, &items); err != nil {
		return nil, err
	}
	return items.GetItems(), nil
}

// Write applies a change whose manifest follows the one that stands (PUT /v1/storage/).
func (s *Storage) Write(ctx context.Context, operation *servicepb.WriteOperation) error {
	response, err := s.put(ctx, "/v1/storage/", operation)
	if err != nil {
		return err
	}
	if response.Status == http.StatusConflict {
		conflict := &StorageConflictError{Current: &servicepb.StorageManifest{}}
		if err := decodeProto(response.Body, conflict.Current); err != nil {
			return err
		}
		return conflict
	}
	return response.Err()
}

func (s *Storage) put(ctx context.Context, path string, message proto.Message) (*Response, error) {
	body, err := proto.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode storage request: %w", err)
	}
	header := http.Header{"Content-Type": {contentTypeProtobuf}}
	return s.rest.Do(ctx, &Request{Method: http.MethodPut, Path: path, Header: header, Body: body})
}

func decodeProto(body []byte, out proto.Message) error {
	if err := proto.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%w: answer cannot be read: %v", ErrProtocol, err)
	}
	return nil
}
