package zkcredential

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// TokenSize is the length of a token.
const TokenSize = 16

// weightSize is the length of the weights that make one proof of many endorsements; they are of 127 bits.
const weightSize = 16

// EndorsementRootKeyPair is a server's key for endorsements, from which DeriveKey makes those that it issues with.
// Source of this file: libsignal rust/zkcredential/src/endorsements.rs.
type EndorsementRootKeyPair struct {
	sk     ristretto.Scalar
	public EndorsementRootPublicKey
}

// GenerateEndorsementRootKeyPair makes a key pair from randomness.
func GenerateEndorsementRootKeyPair(random [RandomSize]byte) EndorsementRootKeyPair {
	sho := poksho.NewShoHmacSha256([]byte("Signal_ZKCredential_Endorsements_ServerRootKeyPair_generate_20240207"))
	sho.AbsorbAndRatchet(random[:])
	return NewEndorsementRootKeyPair(sho.Scalar())
}

// NewEndorsementRootKeyPair returns the key pair of a secret that exists already.
func NewEndorsementRootKeyPair(sk ristretto.Scalar) EndorsementRootKeyPair {
	return EndorsementRootKeyPair{sk: sk, public: EndorsementRootPublicKey{ristretto.BaseMul(sk)}}
}

// ReadEndorsementRootKeyPair reads the secret of 32 bytes, and returns what follows it.
func ReadEndorsementRootKeyPair(b []byte) (EndorsementRootKeyPair, []byte, error) {
	r := &reader{rest: b}
	sk := r.scalar()
	rest, err := r.end()
	if err != nil {
		return EndorsementRootKeyPair{}, nil, err
	}
	return NewEndorsementRootKeyPair(sk), rest, nil
}

// Append appends the secret, 32 bytes.
func (k EndorsementRootKeyPair) Append(b []byte) []byte { return k.sk.Append(b) }

// Public returns the public key.
func (k EndorsementRootKeyPair) Public() EndorsementRootPublicKey { return k.public }

// DeriveKey returns the key for endorsements with the given tag: a hash of the endorsements' purpose and their public
// attributes. The hash is left as it was.
func (k EndorsementRootKeyPair) DeriveKey(tag *poksho.ShoHmacSha256) EndorsementKeyPair {
	t := tag.Clone().Scalar()
	return EndorsementKeyPair{sk: k.sk.Add(t).Invert(), public: k.public.derive(t)}
}

// EndorsementRootPublicKey is what a client derives the keys from that it verifies endorsements with.
type EndorsementRootPublicKey struct{ point ristretto.Point }

// ReadEndorsementRootPublicKey reads a key of 32 bytes, and returns what follows it.
func ReadEndorsementRootPublicKey(b []byte) (EndorsementRootPublicKey, []byte, error) {
	r := &reader{rest: b}
	k := EndorsementRootPublicKey{r.point()}
	rest, err := r.end()
	return k, rest, err
}

// Append appends the key, 32 bytes.
func (k EndorsementRootPublicKey) Append(b []byte) []byte { return k.point.Append(b) }

// DeriveKey returns the public key of the key pair that the server derives with the same tag.
func (k EndorsementRootPublicKey) DeriveKey(tag *poksho.ShoHmacSha256) EndorsementPublicKey {
	return k.derive(tag.Clone().Scalar())
}

func (k EndorsementRootPublicKey) derive(t ristretto.Scalar) EndorsementPublicKey {
	return EndorsementPublicKey{k.point.Add(ristretto.BaseMul(t))}
}

// EndorsementPublicKey verifies the endorsements with one tag.
type EndorsementPublicKey struct{ point ristretto.Point }

// EndorsementKeyPair issues endorsements with one tag, and verifies their tokens.
type EndorsementKeyPair struct {
	sk     ristretto.Scalar
	public EndorsementPublicKey
}

// ReadEndorsementKeyPair reads a derived key pair of 64 bytes, and returns what follows it.
func ReadEndorsementKeyPair(b []byte) (EndorsementKeyPair, []byte, error) {
	r := &reader{rest: b}
	k := EndorsementKeyPair{sk: r.scalar(), public: EndorsementPublicKey{r.point()}}
	rest, err := r.end()
	return k, rest, err
}

// Append appends the key pair, 64 bytes.
func (k EndorsementKeyPair) Append(b []byte) []byte { return k.public.point.Append(k.sk.Append(b)) }

// Public returns the public key.
func (k EndorsementKeyPair) Public() EndorsementPublicKey { return k.public }

// VerifyToken returns ErrVerification if token is not one for point: the sum of the points that its endorsements were
// issued for, decrypted.
func (k EndorsementKeyPair) VerifyToken(point ristretto.Point, token []byte) error {
	expected := tokenOf(point.Mul(k.sk))
	if subtle.ConstantTimeCompare(expected[:], token) != 1 {
		return fmt.Errorf("%w: endorsement token", ErrVerification)
	}
	return nil
}

// EndorsementResponse is a server's endorsements with one proof for all.
type EndorsementResponse struct {
	encoded [][ristretto.Size]byte
	proof   []byte
}

// ReadEndorsementResponse reads a response, and returns what follows it. Its points are looked at when it is received.
func ReadEndorsementResponse(b []byte) (EndorsementResponse, []byte, error) {
	r := &reader{rest: b}
	var out EndorsementResponse
	for range r.length(ristretto.Size) {
		out.encoded = append(out.encoded, [ristretto.Size]byte(r.take(ristretto.Size)))
	}
	out.proof = r.bytes()
	rest, err := r.end()
	if err != nil {
		return EndorsementResponse{}, nil, err
	}
	return out, rest, nil
}

// Append appends the response.
func (e EndorsementResponse) Append(b []byte) []byte {
	b = appendLength(b, len(e.encoded))
	for _, one := range e.encoded {
		b = append(b, one[:]...)
	}
	return appendBytes(b, e.proof)
}

// Len is the number of endorsements.
func (e EndorsementResponse) Len() int { return len(e.encoded) }

// IssueEndorsements endorses each of the points, which hide attributes by encryption or blinding; their order is that
// of the endorsements. There has to be one at least.
func IssueEndorsements(
	points []ristretto.Point, key EndorsementKeyPair, random [RandomSize]byte,
) (EndorsementResponse, error) {
	if len(points) == 0 {
		return EndorsementResponse{}, fmt.Errorf("%w: no point to endorse", ErrArguments)
	}
	var out EndorsementResponse
	for _, p := range points {
		out.encoded = append(out.encoded, p.Mul(key.sk).Encode())
	}
	sum := ristretto.Sum(weighted(points, weights(key.public, points, out.encoded))...)
	args := endorsementArgs(sum, sum.Mul(key.sk), key.public)
	proof, err := endorsementStatement().Prove(poksho.Scalars{"sk_prime": key.sk}, args, nil, random)
	if err := proven("endorsements", err); err != nil {
		return EndorsementResponse{}, err
	}
	out.proof = proof
	return out, nil
}

// Receive returns the endorsements, in the order of the points, or ErrVerification if they were not issued for these
// points with that key.
func (e EndorsementResponse) Receive(
	points []ristretto.Point, key EndorsementPublicKey,
) ([]ReceivedEndorsement, error) {
	if len(points) == 0 || len(points) != len(e.encoded) {
		return nil, fmt.Errorf("%w: %d endorsements for %d", ErrVerification, len(e.encoded), len(points))
	}
	out := make([]ReceivedEndorsement, len(points))
	endorsed := make([]ristretto.Point, len(points))
	for i, encoded := range e.encoded {
		p, err := ristretto.ParsePoint(encoded[:])
		if err != nil {
			return nil, fmt.Errorf("%w: endorsement: %w", ErrVerification, err)
		}
		endorsed[i] = p
		out[i] = ReceivedEndorsement{Endorsement: Endorsement{p}, Compressed: encoded}
	}
	// The server knows all of these points and weights, so the time may depend on them.
	w := weights(key, points, e.encoded)
	sum, sumEndorsed := ristretto.VarTimeSum(weighted(points, w)...), ristretto.VarTimeSum(weighted(endorsed, w)...)
	err := endorsementStatement().Verify(e.proof, endorsementArgs(sum, sumEndorsed, key), nil)
	if err := checked("endorsements", err); err != nil {
		return nil, err
	}
	return out, nil
}

func endorsementStatement() *poksho.Statement {
	return new(poksho.Statement).
		Add("weighted_sum(R)", product(nil, "sk_prime", "weighted_sum(E)")...).
		Add("G", product(nil, "sk_prime", "PK_prime")...)
}

func endorsementArgs(sum, endorsed ristretto.Point, key EndorsementPublicKey) poksho.Points {
	return poksho.Points{"weighted_sum(E)": sum, "weighted_sum(R)": endorsed, "PK_prime": key.point}
}

// weights hashes everything to the weights of all points after the first, whose weight is 1.
func weights(key EndorsementPublicKey, points []ristretto.Point, endorsed [][ristretto.Size]byte) []ristretto.Scalar {
	sho := poksho.NewShoHmacSha256(
		[]byte("Signal_ZKCredential_Endorsements_EndorsementResponse_ProofWeights_20240207"))
	sho.Absorb(key.point.Append(nil))
	for _, doubled := range ristretto.EncodeDoubled(points) {
		sho.Absorb(doubled[:])
	}
	for _, encoded := range endorsed {
		sho.Absorb(encoded[:])
	}
	sho.Ratchet()
	random := sho.SqueezeAndRatchet((len(points) - 1) * weightSize)
	out := make([]ristretto.Scalar, 0, len(points)-1)
	for ; len(random) > 0; random = random[weightSize:] {
		var wide [64]byte
		copy(wide[:], random[:weightSize])
		wide[weightSize-1] &= 0x7f
		out = append(out, ristretto.ScalarFromWide(wide))
	}
	return out
}

func weighted(points []ristretto.Point, weights []ristretto.Scalar) []ristretto.Term {
	out := make([]ristretto.Term, len(points))
	out[0] = ristretto.Term{Scalar: ristretto.ScalarFromUint64(1), Point: points[0]}
	for i, w := range weights {
		out[i+1] = ristretto.Term{Scalar: w, Point: points[i+1]}
	}
	return out
}

// ReceivedEndorsement is an endorsement, and its encoding.
type ReceivedEndorsement struct {
	Endorsement Endorsement
	Compressed  [ristretto.Size]byte
}

// Endorsement is a server's endorsement of a hidden attribute, or of several together. The zero value endorses none.
type Endorsement struct{ point ristretto.Point }

// ParseEndorsement reads an endorsement of 32 bytes.
func ParseEndorsement(b []byte) (Endorsement, error) {
	p, err := ristretto.ParsePoint(b)
	if err != nil {
		return Endorsement{}, fmt.Errorf("%w: endorsement: %w", ErrMalformed, err)
	}
	return Endorsement{p}, nil
}

// Compress returns the encoding.
func (e Endorsement) Compress() [ristretto.Size]byte { return e.point.Encode() }

// CombineEndorsements returns the endorsement of all attributes together. They have to be by one key, of one client.
func CombineEndorsements(endorsements ...Endorsement) Endorsement {
	var out Endorsement
	for _, e := range endorsements {
		out.point = out.point.Add(e.point)
	}
	return out
}

// Remove takes attributes out again that were combined.
func (e Endorsement) Remove(other Endorsement) Endorsement {
	return Endorsement{e.point.Sub(other.point)}
}

// EndorsementDecryptionKey turns endorsements of hidden points into tokens for the plain ones.
type EndorsementDecryptionKey struct{ inverse ristretto.Scalar }

// NewEndorsementDecryptionKey returns the key for points that were multiplied with scalar to hide them.
func NewEndorsementDecryptionKey(scalar ristretto.Scalar) EndorsementDecryptionKey {
	return EndorsementDecryptionKey{scalar.Invert()}
}

// EndorsementDecryptionKey returns the key for endorsements of the first points of what k encrypts.
func (k EncryptionKeyPair) EndorsementDecryptionKey() EndorsementDecryptionKey {
	return EndorsementDecryptionKey{k.inverse}
}

// Token returns what shows the verifying server that the attributes are endorsed.
func (e Endorsement) Token(key EndorsementDecryptionKey) [TokenSize]byte {
	return tokenOf(e.point.Mul(key.inverse))
}

func tokenOf(decrypted ristretto.Point) [TokenSize]byte {
	encoded := decrypted.Encode()
	hash := sha256.Sum256(encoded[:])
	return [TokenSize]byte(hash[:TokenSize])
}
