package zkgroup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
)

// hexBytes is hexadecimal in JSON.
type hexBytes []byte

func (b *hexBytes) UnmarshalText(text []byte) error {
	out, err := hex.DecodeString(string(text))
	*b = out
	return err
}

func (b hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(b)), nil }

func (b hexBytes) reader() io.Reader { return bytes.NewReader(b) }

func (b hexBytes) key() profilekey.Key { return profilekey.Key(b) }

// account is a service id in JSON.
type account struct{ serviceid.ServiceID }

func (a *account) UnmarshalText(text []byte) (err error) {
	a.ServiceID, err = serviceid.Parse(string(text))
	return err
}

func (a account) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

type vectors struct {
	Generated []struct{ Random, Master hexBytes }
	Groups    []struct {
		Master, Secret, Public, ID hexBytes
		Users                      []struct {
			ID        account
			Encrypted hexBytes
		}
		ProfileKeys []struct {
			Key       hexBytes
			ACI       account
			Encrypted hexBytes
			Decrypts  bool
		}
		Blobs []struct {
			Random, Plaintext, Encrypted hexBytes
			Padding                      uint32
		}
	}
	Commitments []struct {
		Key, Commitment hexBytes
		ACI             account
	}
	Servers []serverVectors
}

// serverVectors are of one service.
type serverVectors struct {
	Random, Secret, Public hexBytes
	Signatures             []struct{ Random, Message, Signature hexBytes }
	Profiles               []profileVector
	Old                    []struct{ Presentation, User, ProfileKey hexBytes }
	Auth, AuthWithoutPNI   []authVector
	Endorsements           []endorsementVector
}

// authVector is the life of an auth credential, with a PNI or a salt.
type authVector struct {
	ACI, PNI                    account
	Salt, Master                hexBytes
	Time                        int64
	IssueRandom, Response       hexBytes
	Credential                  hexBytes
	PresentRandom, Presentation hexBytes
	ACICiphertext               hexBytes
	PNICiphertext               hexBytes
}

// endorsementVector has the endorsements of a group, for self.
type endorsementVector struct {
	Master, Key, Random, Response hexBytes
	Members                       []account
	Self                          account
	Now, Expires                  int64
	Endorsements, Tokens          []hexBytes
	Combined, Token               hexBytes
}

func (v endorsementVector) members() []serviceid.ServiceID {
	out := make([]serviceid.ServiceID, len(v.Members))
	for i, member := range v.Members {
		out[i] = member.ServiceID
	}
	return out
}

// profileVector is the life of a profile key credential.
type profileVector struct {
	ACI                               account
	Key, Master, Commitment           hexBytes
	RequestRandom, Context, Request   hexBytes
	IssueRandom, Response, Credential hexBytes
	PresentRandom, Presentation       hexBytes
	User, ProfileKey                  hexBytes
	Now, Expires                      int64
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	raw, err := os.ReadFile("../../../testdata/vectors/zkgroup.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	require.NotEmpty(t, v.Groups)
	return v
}

// equalBytes treats nil and nothing alike.
func equalBytes(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, hex.EncodeToString(want), hex.EncodeToString(got))
}

// requireFlipsRefused has refuse called with b, one bit changed, for a bit of many bytes (in the soak tests, of each);
// it has to return an error.
func requireFlipsRefused(t *testing.T, b []byte, refuse func(changed []byte) error) {
	t.Helper()
	changed := bytes.Clone(b)
	for i := mathrand.IntN(flipStride); i < len(b); i += flipStride {
		changed[i] ^= 1 << (i % 8)
		err := refuse(changed)
		require.Error(t, err, "byte %d", i)
		require.True(t, isTyped(err), "byte %d: %v", i, err)
		changed[i] = b[i]
	}
	for _, cut := range []int{0, 1, len(b) / 2, len(b) - 1} {
		require.Error(t, refuse(b[:min(cut, len(b))]), "cut at %d", cut)
	}
	require.Error(t, refuse(append(bytes.Clone(b), 0)))
}
