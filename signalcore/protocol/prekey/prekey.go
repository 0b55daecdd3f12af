// Package prekey holds the keys that let others open a session while a device is away: one-time EC prekeys, the signed
// prekey, and Kyber prekeys, of which the last resort is used again and again; and the bundle in which they reach the
// one who opens the session.
//
// Specification: PQXDH (signal.org/docs/specifications/pqxdh), section 3.2; libsignal rust/protocol/src/state. How many
// keys to keep and when to replace them is the caller's matter, not decided here.
package prekey

import (
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/kem"
	"signalbox/signalcore/signalpb/sessionpb"
)

// MaxID is the highest id that Signal's apps give a prekey; after it they start again at 1.
const MaxID = 0xffffff

// ErrCorrupt is returned for stored bytes that are no record of the expected kind.
var ErrCorrupt = errors.New("corrupt prekey record")

// NextID returns the id after id, from 1 to MaxID.
func NextID(id uint32) uint32 { return id%MaxID + 1 }

// EC is a one-time prekey. It is removed once a message has used it.
type EC struct {
	ID   uint32
	Keys curve.KeyPair
}

// Signed is a signed EC prekey, which many sessions use until it is replaced.
type Signed struct {
	ID        uint32
	Keys      curve.KeyPair
	Signature [curve.SignatureSize]byte // of the identity over the serialised public key
	Created   time.Time
}

// Kyber is a Kyber prekey: one-time, or the last resort for when those have run out.
type Kyber struct {
	ID         uint32
	Keys       kem.KeyPair
	Signature  [curve.SignatureSize]byte // of the identity over the serialised public key
	Created    time.Time
	LastResort bool
}

// GenerateEC returns count one-time prekeys with ids from first on.
func GenerateEC(rand io.Reader, first uint32, count int) ([]EC, error) {
	keys := make([]EC, 0, count)
	for id := first; len(keys) < count; id = NextID(id) {
		pair, err := curve.GenerateKeyPair(rand)
		if err != nil {
			return nil, err
		}
		keys = append(keys, EC{ID: id, Keys: pair})
	}
	return keys, nil
}

// GenerateSigned returns a new signed prekey.
func GenerateSigned(rand io.Reader, identity curve.PrivateKey, id uint32, now time.Time) (Signed, error) {
	pair, err := curve.GenerateKeyPair(rand)
	if err != nil {
		return Signed{}, err
	}
	signature, err := identity.Sign(rand, pair.Public.Serialize())
	if err != nil {
		return Signed{}, err
	}
	return Signed{ID: id, Keys: pair, Signature: signature, Created: toMillis(now)}, nil
}

// GenerateKyber returns count one-time Kyber prekeys with ids from first on.
func GenerateKyber(
	rand io.Reader, identity curve.PrivateKey, first uint32, count int, now time.Time,
) ([]Kyber, error) {
	keys := make([]Kyber, 0, count)
	for id := first; len(keys) < count; id = NextID(id) {
		key, err := generateKyber(rand, identity, id, now)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// GenerateLastResort returns a new last-resort Kyber prekey.
func GenerateLastResort(rand io.Reader, identity curve.PrivateKey, id uint32, now time.Time) (Kyber, error) {
	key, err := generateKyber(rand, identity, id, now)
	key.LastResort = err == nil
	return key, err
}

func generateKyber(rand io.Reader, identity curve.PrivateKey, id uint32, now time.Time) (Kyber, error) {
	pair, err := kem.GenerateKeyPair(rand)
	if err != nil {
		return Kyber{}, err
	}
	signature, err := identity.Sign(rand, pair.Public.Serialize())
	if err != nil {
		return Kyber{}, err
	}
	return Kyber{ID: id, Keys: pair, Signature: signature, Created: toMillis(now)}, nil
}

// toMillis drops what a record does not keep.
func toMillis(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }

// Serialize returns the stored form.
func (k EC) Serialize() []byte {
	return marshal(&sessionpb.PreKey{Id: k.ID, PrivateKey: k.Keys.Private[:], PublicKey: k.Keys.Public[:]})
}

// ParseEC reads what Serialize wrote.
func ParseEC(record []byte) (EC, error) {
	var pb sessionpb.PreKey
	if err := proto.Unmarshal(record, &pb); err != nil {
		return EC{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	pair, err := parsePair(pb.GetPrivateKey(), pb.GetPublicKey())
	return EC{ID: pb.GetId(), Keys: pair}, err
}

// Serialize returns the stored form.
func (k Signed) Serialize() []byte {
	return marshal(&sessionpb.SignedPreKey{
		Id: k.ID, PrivateKey: k.Keys.Private[:], PublicKey: k.Keys.Public[:],
		Signature: k.Signature[:], Created: uint64(k.Created.UnixMilli()),
	})
}

// ParseSigned reads what Serialize wrote.
func ParseSigned(record []byte) (Signed, error) {
	var pb sessionpb.SignedPreKey
	if err := proto.Unmarshal(record, &pb); err != nil {
		return Signed{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	pair, err := parsePair(pb.GetPrivateKey(), pb.GetPublicKey())
	if err != nil {
		return Signed{}, err
	}
	signature, err := parseSignature(pb.GetSignature())
	return Signed{ID: pb.GetId(), Keys: pair, Signature: signature, Created: fromMillis(pb.GetCreated())}, err
}

// Serialize returns the stored form.
func (k Kyber) Serialize() []byte {
	return marshal(&sessionpb.KyberPreKey{
		Id: k.ID, SecretKey: k.Keys.Secret.Serialize(), PublicKey: k.Keys.Public.Serialize(),
		Signature: k.Signature[:], Created: uint64(k.Created.UnixMilli()), LastResort: k.LastResort,
	})
}

// ParseKyber reads what Serialize wrote.
func ParseKyber(record []byte) (Kyber, error) {
	var pb sessionpb.KyberPreKey
	if err := proto.Unmarshal(record, &pb); err != nil {
		return Kyber{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	secret, err := kem.ParseSecretKey(pb.GetSecretKey())
	if err != nil {
		return Kyber{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	public, err := kem.ParsePublicKey(pb.GetPublicKey())
	if err != nil {
		return Kyber{}, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	signature, err := parseSignature(pb.GetSignature())
	return Kyber{
		ID: pb.GetId(), Keys: kem.KeyPair{Secret: secret, Public: public}, Signature: signature,
		Created: fromMillis(pb.GetCreated()), LastResort: pb.GetLastResort(),
	}, err
}

func marshal(m proto.Message) []byte {
	// Marshalling fails on invalid UTF-8 and on missing required fields only, and there is neither.
	b, _ := proto.Marshal(m)
	return b
}

func fromMillis(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

func parsePair(private, public []byte) (curve.KeyPair, error) {
	key, err := curve.ParsePrivateKey(private)
	if err != nil || len(public) != curve.KeySize {
		return curve.KeyPair{}, fmt.Errorf("%w: malformed key", ErrCorrupt)
	}
	return curve.KeyPair{Private: key, Public: curve.PublicKey(public)}, nil
}

func parseSignature(b []byte) ([curve.SignatureSize]byte, error) {
	if len(b) != curve.SignatureSize {
		return [curve.SignatureSize]byte{}, fmt.Errorf("%w: malformed signature", ErrCorrupt)
	}
	return [curve.SignatureSize]byte(b), nil
}
