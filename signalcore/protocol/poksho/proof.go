package poksho

import (
	"fmt"

	"signalbox/signalcore/protocol/ristretto"
)

// proofLabel starts the hash that makes a proof non-interactive.
const proofLabel = "POKSHO_Ristretto_SHOHMACSHA256"

// Prove proves that the statement holds for scalars and points, without telling the scalars, and binds message to the
// proof. The proof is 32 bytes for the challenge and 32 for each scalar. The random bytes may be used once; what hides
// the scalars is hashed from them, the scalars and the message.
//
// It takes the same time whatever the scalars and points are. Errors: ErrArguments, ErrFalse. Source: libsignal
// rust/poksho/src/statement.rs.
func (s *Statement) Prove(scalars Scalars, points Points, message []byte, random [32]byte) ([]byte, error) {
	witness, err := s.arrangeScalars(scalars)
	if err != nil {
		return nil, err
	}
	arranged, err := s.arrangePoints(points)
	if err != nil {
		return nil, err
	}
	start := s.begin(arranged)
	nonce := nonces(start.Clone(), witness, message, random)
	commitment := transcript{start.Clone()}
	for _, e := range s.equations {
		commitment.absorbPoint(ristretto.Sum(e.terms(nonce, arranged)...))
	}
	challenge := commitment.challenge(message)
	proof := challenge.Append(make([]byte, 0, ristretto.Size*(1+len(witness))))
	for i := range witness {
		proof = nonce[i].Add(witness[i].Mul(challenge)).Append(proof)
	}
	// A false statement's proof, or one computed wrongly, could give the scalars away.
	if err := s.verify(proof, arranged, start, message); err != nil {
		return nil, fmt.Errorf("proof: %w", ErrFalse)
	}
	return proof, nil
}

// Verify checks that proof shows the statement to hold for points and was bound to message. The time it takes depends
// on the proof, and not on the points. Errors: ErrArguments, ErrVerification.
func (s *Statement) Verify(proof []byte, points Points, message []byte) error {
	arranged, err := s.arrangePoints(points)
	if err != nil {
		return err
	}
	return s.verify(proof, arranged, s.begin(arranged), message)
}

// verify goes on with transcript, which begin has made of points.
func (s *Statement) verify(proof []byte, points []ristretto.Point, transcript transcript, message []byte) error {
	if len(proof) != ristretto.Size*(1+len(s.scalars.order)) {
		return fmt.Errorf("%w: %d bytes for %d scalars", ErrVerification, len(proof), len(s.scalars.order))
	}
	response := make([]ristretto.Scalar, 0, 1+len(s.scalars.order))
	for ; len(proof) > 0; proof = proof[ristretto.Size:] {
		scalar, err := ristretto.ParseScalar(proof[:ristretto.Size])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrVerification, err)
		}
		response = append(response, scalar)
	}
	challenge, response := response[0], response[1:]

	minus := challenge.Neg()
	for _, e := range s.equations {
		terms := append(e.terms(response, points), ristretto.Term{Scalar: minus, Point: points[e.left]})
		transcript.absorbPoint(ristretto.VarTimeSum(terms...))
	}
	if !transcript.challenge(message).Equal(challenge) {
		return ErrVerification
	}
	return nil
}

func (e *equation) terms(scalars []ristretto.Scalar, points []ristretto.Point) []ristretto.Term {
	out := make([]ristretto.Term, 0, len(e.right)+1)
	for _, t := range e.right {
		out = append(out, ristretto.Term{Scalar: scalars[t.scalar], Point: points[t.point]})
	}
	return out
}

// transcript is the hash over everything that a proof is about.
type transcript struct{ *ShoHmacSha256 }

func (s *Statement) begin(points []ristretto.Point) transcript {
	t := transcript{NewShoHmacSha256([]byte(proofLabel))}
	t.Absorb(s.describe())
	for _, p := range points {
		t.absorbPoint(p)
	}
	t.Ratchet()
	return t
}

func (t transcript) absorbPoint(p ristretto.Point) {
	encoded := p.Encode()
	t.Absorb(encoded[:])
}

func (t transcript) challenge(message []byte) ristretto.Scalar {
	t.AbsorbAndRatchet(message)
	return t.Scalar()
}

// nonces returns the scalars that hide the witness.
func nonces(hash *ShoHmacSha256, witness []ristretto.Scalar, message []byte, random [32]byte) []ristretto.Scalar {
	hash.Absorb(random[:])
	for _, scalar := range witness {
		encoded := scalar.Encode()
		hash.Absorb(encoded[:])
	}
	hash.Ratchet()
	hash.AbsorbAndRatchet(message)
	wide := hash.SqueezeAndRatchet(64 * len(witness))
	out := make([]ristretto.Scalar, 0, len(witness))
	for ; len(wide) > 0; wide = wide[64:] {
		out = append(out, ristretto.ScalarFromWide([64]byte(wide[:64])))
	}
	return out
}
