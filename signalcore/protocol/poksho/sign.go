package poksho

import "signalbox/signalcore/protocol/ristretto"

// signature is the statement that the signer knows the private key (libsignal rust/poksho/src/sign.rs).
func signature() *Statement {
	return new(Statement).Add("public_key", Product{"private_key", generator})
}

// Sign returns the signature of message, 64 bytes. public has to be private times the generator, else the error is
// ErrFalse.
func Sign(private ristretto.Scalar, public ristretto.Point, message []byte, random [32]byte) ([]byte, error) {
	return signature().Prove(Scalars{"private_key": private}, Points{"public_key": public}, message, random)
}

// VerifySignature checks a signature by the holder of public's private key, and returns ErrVerification if it is none.
func VerifySignature(signed []byte, public ristretto.Point, message []byte) error {
	return signature().Verify(signed, Points{"public_key": public}, message)
}
