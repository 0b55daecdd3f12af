package spqr

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
)

const macSize = sha256.Size

// authenticator makes the MACs of headers and ciphertexts, under a key that each epoch's secret renews. Specification:
// "ML-KEM Braid", section 2, Authenticator; source: src/authenticator.rs.
type authenticator struct {
	root   []byte
	macKey []byte
}

func newAuthenticator(authKey []byte) authenticator {
	a := authenticator{root: make([]byte, keySize)}
	a.update(1, authKey)
	return a
}

func (a *authenticator) update(epoch uint64, secret []byte) {
	keys := derive(zeroSalt[:], slices.Concat(a.root, secret), withEpoch(authUpdateLabel, epoch), 2*keySize)
	a.root, a.macKey = keys[:keySize:keySize], keys[keySize:]
}

func (a *authenticator) mac(label string, epoch uint64, data ...[]byte) []byte {
	h := hmac.New(sha256.New, a.macKey)
	h.Write(withEpoch(label, epoch))
	for _, part := range data {
		h.Write(part)
	}
	return h.Sum(nil)
}

// headerMAC authenticates the header of the epoch's encapsulation key.
func (a *authenticator) headerMAC(epoch uint64, header []byte) []byte {
	return a.mac(authHeaderLabel, epoch, header)
}

// ciphertextMAC authenticates both ciphertexts of the epoch, under its own secret.
func (a *authenticator) ciphertextMAC(epoch uint64, ciphertext1, ciphertext2 []byte) []byte {
	return a.mac(authCiphertextLabel, epoch, ciphertext1, ciphertext2)
}
