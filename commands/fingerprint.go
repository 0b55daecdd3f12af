package commands

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"maps"
	"slices"

	"signalbox/lenientjson"
)

// fingerprint hashes a request, so that the same idempotencyKey with another one is noticed. What says nothing about
// the message is left out, and so are fields that are null; 7 and "7" are the same.
func fingerprint(request lenientjson.Value) ([sha256.Size]byte, error) {
	rest := maps.Clone(request.Fields)
	for _, name := range []string{"reqId", "token", "username", "idempotencyKey"} {
		delete(rest, name)
	}
	sum := sha256.New()
	err := hashValue(sum, lenientjson.Value{Kind: lenientjson.Object, Fields: rest})
	return [sha256.Size]byte(sum.Sum(nil)), err
}

// hashValue writes a form in which every value is preceded by its kind and length, so that no two are alike.
func hashValue(sum hash.Hash, v lenientjson.Value) error {
	switch {
	case v.Kind == lenientjson.Object:
		return hashObject(sum, v)
	case v.Kind == lenientjson.Array:
		hashLength(sum, 'a', len(v.Items))
		for _, item := range v.Items {
			if err := hashValue(sum, item); err != nil {
				return err
			}
		}
	case v.Blob != nil && v.Blob.Err == nil:
		hashLength(sum, 'b', int(v.Blob.Size))
		data, err := v.Blob.Open()
		if err != nil {
			return err
		}
		defer data.Close()
		_, err = io.Copy(sum, data)
		return err
	default:
		hashLength(sum, 's', len(v.Text))
		_, _ = io.WriteString(sum, v.Text)
	}
	return nil
}

func hashObject(sum hash.Hash, v lenientjson.Value) error {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(v.Fields)), func(name string) bool {
		return v.Fields[name].Kind == lenientjson.Null
	})
	hashLength(sum, 'o', len(names))
	for _, name := range names {
		hashLength(sum, 'n', len(name))
		_, _ = io.WriteString(sum, name)
		if err := hashValue(sum, v.Fields[name]); err != nil {
			return err
		}
	}
	return nil
}

func hashLength(sum hash.Hash, kind byte, n int) {
	_, _ = sum.Write(binary.BigEndian.AppendUint64([]byte{kind}, uint64(n)))
}
