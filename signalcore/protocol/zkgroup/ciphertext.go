package zkgroup

import (
	"fmt"
	"sync"

	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/zkcredential"
)

// generators of the domains, which are older than package zkcredential's way to make them.
func generators(label string) func() [2]ristretto.Point {
	return sync.OnceValue(func() [2]ristretto.Point {
		sho := newSHO(label, nil)
		return [2]ristretto.Point{sho.Point(), sho.Point()}
	})
}

// The domains of a group's two keys: libsignal rust/zkgroup/src/crypto/uid_encryption.rs and profile_key_encryption.rs.
var (
	userGenerators       = generators("Signal_ZKGroup_20200424_Constant_UidEncryption_SystemParams_Generate")
	profileKeyGenerators = generators("Signal_ZKGroup_20200424_Constant_ProfileKeyEncryption_SystemParams_Generate")

	userDomain       = zkcredential.NewDomainWithGenerators("Signal_ZKGroup_20230419_UidEncryption", userGenerators)
	profileKeyDomain = zkcredential.NewDomainWithGenerators(
		"Signal_ZKGroup_20231011_ProfileKeyEncryption", profileKeyGenerators)
)

// CiphertextSize is the length of an encrypted service id and of an encrypted profile key, in bytes.
const CiphertextSize = 1 + 2*ristretto.Size

// serializeCiphertext is for a ciphertext that stands alone; in others there is no leading byte.
func serializeCiphertext(c zkcredential.Attribute) []byte {
	return c.Append(append(make([]byte, 0, CiphertextSize), 0))
}

func parseCiphertext(what string, b []byte) (zkcredential.Attribute, error) {
	r := newReader(what, b)
	r.version(0)
	c := r.ciphertext()
	return c, r.done()
}

func (r *reader) ciphertext() zkcredential.Attribute {
	return zkcredential.Attribute{r.point(), r.point()}
}

// decrypt undoes the encryption of both points. Of a ciphertext under another key it returns some other points, so the
// caller has to check that the first follows from the second.
func decrypt(what string, encrypted []byte, key zkcredential.EncryptionKeyPair) (zkcredential.Attribute, error) {
	c, err := parseCiphertext(what, encrypted)
	if err != nil {
		return zkcredential.Attribute{}, err
	}
	second, err := key.SecondPoint(c)
	if err != nil {
		return zkcredential.Attribute{}, fmt.Errorf("%w: %s: %w", ErrVerification, what, err)
	}
	return zkcredential.Attribute{key.FirstPoint(c), second}, nil
}
