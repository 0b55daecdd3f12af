package signalcore

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/protocol/prekey"
)

// pniKeys are the keys that a change of number brings.
type pniKeys struct {
	identity   curve.KeyPair
	signed     prekey.Signed
	lastResort prekey.Kyber
}

var errPNIKeys = errors.New("malformed record")

// Fields of the records that the primary's library wrote (libsignal rust/protocol/src/proto/storage.proto:
// IdentityKeyPairStructure and SignedPreKeyRecordStructure, which holds Kyber prekeys too).
const (
	identityPublicField  = 1
	identityPrivateField = 2

	signedIDField        = 1
	signedPublicField    = 2
	signedPrivateField   = 3
	signedSignatureField = 4
	signedTimeField      = 5
)

func readPNIKeys(change *content.PNIChange) (pniKeys, error) {
	var keys pniKeys
	identity, err := readFields(change.IdentityKeyPair)
	if err != nil {
		return keys, err
	}
	if keys.identity, err = readPair(identity[identityPrivateField].bytes, identity[identityPublicField].bytes); err != nil {
		return keys, err
	}
	signed, err := readFields(change.SignedPreKey)
	if err != nil {
		return keys, err
	}
	keys.signed = prekey.Signed{ID: uint32(signed[signedIDField].number), Created: signed.time()}
	if keys.signed.Keys, err = readPair(signed[signedPrivateField].bytes, signed[signedPublicField].bytes); err != nil {
		return keys, err
	}
	if err := signed.signature(&keys.signed.Signature); err != nil {
		return keys, err
	}
	return keys, readLastResort(change.LastResortKyberPreKey, &keys.lastResort)
}

func readLastResort(record []byte, out *prekey.Kyber) error {
	fields, err := readFields(record)
	if err != nil {
		return err
	}
	*out = prekey.Kyber{ID: uint32(fields[signedIDField].number), Created: fields.time(), LastResort: true}
	if out.Keys.Secret, err = kem.ParseSecretKey(fields[signedPrivateField].bytes); err != nil {
		return err
	}
	if out.Keys.Public, err = kem.ParsePublicKey(fields[signedPublicField].bytes); err != nil {
		return err
	}
	return fields.signature(&out.Signature)
}

func readPair(private, public []byte) (curve.KeyPair, error) {
	key, err := curve.ParsePrivateKey(private)
	if err != nil {
		return curve.KeyPair{}, err
	}
	known, err := curve.ParsePublicKey(public)
	if err != nil {
		return curve.KeyPair{}, err
	}
	return curve.KeyPair{Private: key, Public: known}, nil
}

type fieldValue struct {
	number uint64
	bytes  []byte
}

type fieldValues map[protowire.Number]fieldValue

func (f fieldValues) time() time.Time { return time.UnixMilli(int64(f[signedTimeField].number)) }

func (f fieldValues) signature(out *[curve.SignatureSize]byte) error {
	b := f[signedSignatureField].bytes
	if len(b) != len(out) {
		return errPNIKeys
	}
	copy(out[:], b)
	return nil
}

func readFields(record []byte) (fieldValues, error) {
	out := make(fieldValues)
	for len(record) > 0 {
		number, kind, n := protowire.ConsumeTag(record)
		if n < 0 {
			return nil, errPNIKeys
		}
		record = record[n:]
		var v fieldValue
		switch kind {
		case protowire.VarintType:
			v.number, n = protowire.ConsumeVarint(record)
		case protowire.Fixed64Type:
			v.number, n = protowire.ConsumeFixed64(record)
		case protowire.BytesType:
			v.bytes, n = protowire.ConsumeBytes(record)
		default:
			n = protowire.ConsumeFieldValue(number, kind, record)
		}
		if n < 0 {
			return nil, errPNIKeys
		}
		record = record[n:]
		out[number] = v
	}
	return out, nil
}
