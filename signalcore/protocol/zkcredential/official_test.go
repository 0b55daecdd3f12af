package zkcredential_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
	"signalbox/signalcore/protocol/serviceid"
	zk "signalbox/signalcore/protocol/zkcredential"
)

// The credentials here are those of libsignal rust/zkgroup/src/api/call_links and backups: the ones that, between them,
// use all that this package can do. They are checked against the official library's (testdata/interop/zkcredential).

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type officialServer struct {
	Random, Secret, Public hexBytes
	Mode                   byte
	Auth, Create, Backup   []*course
}

// course is one credential from request to presentation, as the official library did it.
type course struct {
	ACI                                     string
	Time, Level, Type                       uint64
	Root, Room, Key, LinkSecret, LinkPublic hexBytes
	RequestRandom, Context, Request         hexBytes
	IssueRandom, Response, Credential       hexBytes
	PresentRandom, Presentation             hexBytes
}

// uids is the domain of encrypted accounts (libsignal rust/zkgroup/src/crypto/uid_encryption.rs).
var uids = zk.NewDomainWithGenerators("Signal_ZKGroup_20230419_UidEncryption", func() [2]ristretto.Point {
	sho := hashed("Signal_ZKGroup_20200424_Constant_UidEncryption_SystemParams_Generate", nil)
	return [2]ristretto.Point{sho.Point(), sho.Point()}
})

func hashed(label string, data ...[]byte) *poksho.ShoHmacSha256 {
	sho := poksho.NewShoHmacSha256([]byte(label))
	for _, each := range data {
		sho.AbsorbAndRatchet(each)
	}
	return sho
}

func (c *course) user(t testing.TB) zk.Attribute {
	t.Helper()
	id, err := serviceid.Parse(c.ACI)
	require.NoError(t, err)
	return zk.Attribute{
		hashed("Signal_ZKGroup_20200424_UID_CalcM1", id.Binary()).Point(), ristretto.LizardEncode(id.UUID),
	}
}

// link is the key pair of a call link, which encrypts the account (api/call_links/params.rs).
func (c *course) link() zk.EncryptionKeyPair {
	return zk.DeriveEncryptionKeyPair(uids,
		hashed("Signal_ZKGroup_20230419_CallLinkSecretParams_DeriveFromRootKey", c.Root))
}

// kind is one of the credentials: its attributes, and how its messages are laid out around what this package makes.
type kind struct {
	name     string
	blinded  bool
	issuance func(testing.TB, *course) *zk.Issuance
	present  func(testing.TB, *course) *zk.Presentation
	check    func(testing.TB, *course) *zk.PresentationCheck
	// response and credential come before those two; presentation surrounds the proof.
	response, credential func(mode byte, c *course) []byte
	afterCredential      func(c *course) []byte
	presentation         func(t testing.TB, mode byte, c *course) (before, after []byte)
}

func numbers(b []byte, n ...uint64) []byte {
	for _, each := range n {
		b = binary.LittleEndian.AppendUint64(b, each)
	}
	return b
}

func nothing(*course) []byte { return nil }

var authLabel, createLabel, backupLabel = []byte("20230421_Signal_CallLinkAuthCredential"),
	[]byte("20230413_Signal_CreateCallLinkCredential"), []byte("20231003_Signal_BackupAuthCredential")

var auth = kind{
	name: "Auth",
	issuance: func(t testing.TB, c *course) *zk.Issuance {
		return zk.NewIssuance(authLabel).Add(c.user(t)).AddPublicNumber(c.Time)
	},
	present: func(t testing.TB, c *course) *zk.Presentation { return zk.NewPresentation().Add(c.user(t), c.link()) },
	check: func(t testing.TB, c *course) *zk.PresentationCheck {
		return zk.NewPresentationCheck(authLabel).Add(c.link().Encrypt(c.user(t)), c.link().Public()).AddPublicNumber(c.Time)
	},
	response:        func(mode byte, _ *course) []byte { return []byte{mode} },
	credential:      func(mode byte, _ *course) []byte { return []byte{mode} },
	afterCredential: nothing,
	presentation: func(t testing.TB, mode byte, c *course) ([]byte, []byte) {
		return []byte{mode}, numbers(c.link().Encrypt(c.user(t)).Append(nil), c.Time)
	},
}

var create = kind{
	name:    "Create",
	blinded: true,
	issuance: func(t testing.TB, c *course) *zk.Issuance {
		return zk.NewIssuance(createLabel).AddPublicNumber(c.Time).Add(c.user(t)).AddBlinded(c.blinded(t))
	},
	present: func(t testing.TB, c *course) *zk.Presentation {
		return zk.NewPresentation().Add(c.user(t), c.link()).AddRevealed()
	},
	check: func(t testing.TB, c *course) *zk.PresentationCheck {
		return zk.NewPresentationCheck(createLabel).AddPublicNumber(c.Time).
			Add(c.link().Encrypt(c.user(t)), c.link().Public()).
			AddRevealed(hashed("20230413_Signal_CallLinkRoomId", c.Room).Point())
	},
	response:        func(mode byte, c *course) []byte { return numbers([]byte{mode}, c.Time) },
	credential:      func(mode byte, c *course) []byte { return numbers([]byte{mode}, c.Time) },
	afterCredential: nothing,
	presentation: func(t testing.TB, mode byte, c *course) ([]byte, []byte) {
		return numbers(c.link().Encrypt(c.user(t)).Append([]byte{mode}), c.Time), nil
	},
}

var backup = kind{
	name:    "Backup",
	blinded: true,
	issuance: func(t testing.TB, c *course) *zk.Issuance {
		return zk.NewIssuance(backupLabel).AddPublicNumber(c.Time).AddPublicNumber(c.Level).AddPublicNumber(c.Type).
			AddBlinded(c.blinded(t))
	},
	present: func(testing.TB, *course) *zk.Presentation { return zk.NewPresentation().AddRevealed() },
	check: func(t testing.TB, c *course) *zk.PresentationCheck {
		return zk.NewPresentationCheck(backupLabel).AddPublicNumber(c.Time).AddPublicNumber(c.Level).
			AddPublicNumber(c.Type).AddRevealed(hashed("20231003_Signal_BackupId", c.backupID()).Point())
	},
	response:        func(_ byte, c *course) []byte { return numbers([]byte{0}, c.Time, c.Level, c.Type) },
	credential:      func(_ byte, c *course) []byte { return numbers([]byte{0}, c.Time, c.Level, c.Type) },
	afterCredential: func(c *course) []byte { return c.backupID() },
	presentation: func(_ testing.TB, _ byte, c *course) ([]byte, []byte) {
		return numbers([]byte{0}, c.Level, c.Type, c.Time), c.backupID()
	},
}

// The context of a request is a byte, the blinded point, for backups the id, and the blinding key; the request is a
// byte, the blinded point, and the blinding public key.

func (c *course) blinded(t testing.TB) zk.BlindedPoint {
	t.Helper()
	p, _, err := zk.ReadBlindedPoint(c.Context[1:])
	require.NoError(t, err)
	return p
}

func (c *course) backupID() []byte { return c.Context[65:81] }

func (c *course) blinding(t testing.TB) zk.BlindingKeyPair {
	t.Helper()
	key, rest, err := zk.ReadBlindingKeyPair(c.Context[len(c.Context)-32:])
	require.NoError(t, err)
	require.Empty(t, rest)
	return key
}

// request makes context and request anew, which for backups does not depend on randomness.
func (k *kind) request(t testing.TB, c *course) (context, request []byte) {
	t.Helper()
	id, err := serviceid.Parse(c.ACI)
	require.NoError(t, err)
	sho := hashed("20230413_Signal_CreateCallLinkCredentialRequest", c.RequestRandom)
	point, middle := hashed("20230413_Signal_CallLinkRoomId", c.Room).Point(), []byte(nil)
	if k.name == "Backup" {
		sho = hashed("20231003_Signal_BackupAuthCredentialRequest", id.UUID[:], c.Key)
		point, middle = hashed("20231003_Signal_BackupId", c.backupID()).Point(), c.backupID()
	}
	key := zk.GenerateBlindingKeyPair(sho)
	blinded, _ := key.Blind(point, sho)
	start := blinded.Append([]byte{0})
	return key.Append(append(start[:len(start):len(start)], middle...)), key.Public().Append(start)
}

// parties are both servers' key pair and the client's public key.
type parties struct {
	mode   byte
	key    *zk.CredentialKeyPair
	public *zk.CredentialPublicKey
}

func (s *officialServer) parties(t testing.TB) *parties {
	t.Helper()
	mode := zk.Legacy
	if s.Mode == 1 {
		mode = zk.Standard
	}
	key := zk.GenerateCredentialKeyPair(mode, [32]byte(s.Random))
	require.Equal(t, []byte(s.Secret), key.Append([]byte{s.Mode}))
	require.Equal(t, []byte(s.Public), key.Public().Append([]byte{s.Mode}))
	public, rest, err := zk.ReadCredentialPublicKey(mode, s.Public[1:])
	require.NoError(t, err)
	require.Empty(t, rest)
	return &parties{mode: s.Mode, key: key, public: public}
}

func (k *kind) issue(t testing.TB, p *parties, c *course) []byte {
	t.Helper()
	before := k.response(p.mode, c)
	if !k.blinded {
		proof, err := k.issuance(t, c).Issue(p.key, [32]byte(c.IssueRandom))
		require.NoError(t, err)
		return proof.Append(before)
	}
	proof, err := k.issuance(t, c).IssueBlinded(p.key, c.blinding(t).Public(), [32]byte(c.IssueRandom))
	require.NoError(t, err)
	return proof.Append(before)
}

// receive returns what a client keeps of a response, or the error.
func (k *kind) receive(t testing.TB, p *parties, c *course, response []byte) ([]byte, error) {
	t.Helper()
	before := k.response(p.mode, c)
	if len(response) < len(before) || string(response[:len(before)]) != string(before) {
		return nil, fmt.Errorf("%w: another response", zk.ErrVerification)
	}
	credential, err := k.verified(t, p, c, response[len(before):])
	if err != nil {
		return nil, err
	}
	return append(credential.Append(k.credential(p.mode, c)), k.afterCredential(c)...), nil
}

func (k *kind) verified(t testing.TB, p *parties, c *course, b []byte) (zk.Credential, error) {
	if k.blinded {
		proof, rest, err := zk.ReadBlindedIssuanceProof(b)
		if err != nil || len(rest) > 0 {
			return zk.Credential{}, fmt.Errorf("%d bytes more: %w", len(rest), err)
		}
		return k.issuance(t, c).VerifyBlinded(p.public, c.blinding(t), proof)
	}
	proof, rest, err := zk.ReadIssuanceProof(b)
	if err != nil || len(rest) > 0 {
		return zk.Credential{}, fmt.Errorf("%d bytes more: %w", len(rest), err)
	}
	return k.issuance(t, c).Verify(p.public, proof)
}

func (k *kind) presents(t testing.TB, p *parties, c *course, credential []byte) []byte {
	t.Helper()
	held, _, err := zk.ReadCredential(credential[len(k.credential(p.mode, c)):])
	require.NoError(t, err)
	proof, err := k.present(t, c).Present(p.public, held, [32]byte(c.PresentRandom))
	require.NoError(t, err)
	before, after := k.presentation(t, p.mode, c)
	return append(proof.Append(before), after...)
}

// verify returns the error that a verifying server has with a presentation.
func (k *kind) verify(t testing.TB, p *parties, c *course, presentation []byte) error {
	t.Helper()
	before, after := k.presentation(t, p.mode, c)
	if len(presentation) < len(before) || string(presentation[:len(before)]) != string(before) {
		return fmt.Errorf("%w: another presentation", zk.ErrVerification)
	}
	proof, rest, err := zk.ReadPresentationProof(presentation[len(before):])
	if err != nil {
		return err
	}
	if string(rest) != string(after) {
		return fmt.Errorf("%w: another presentation", zk.ErrVerification)
	}
	return k.check(t, c).Verify(p.key, proof)
}

// requireSame does everything again with the same randomness, and has to come to the same bytes.
func (k *kind) requireSame(t testing.TB, p *parties, c *course) {
	t.Helper()
	if k.blinded {
		context, request := k.request(t, c)
		require.Equal(t, []byte(c.Context), context)
		require.Equal(t, []byte(c.Request), request)
	}
	require.Equal(t, []byte(c.Response), k.issue(t, p, c))
	credential, err := k.receive(t, p, c, c.Response)
	require.NoError(t, err)
	require.Equal(t, []byte(c.Credential), credential)
	require.Equal(t, []byte(c.Presentation), k.presents(t, p, c, credential))
	require.NoError(t, k.verify(t, p, c, c.Presentation))
}

func TestOfficialVectors(t *testing.T) {
	raw, err := os.ReadFile("../../../testdata/vectors/zkcredential.json")
	require.NoError(t, err)
	var vectors struct{ Servers []*officialServer }
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors.Servers)
	for _, server := range vectors.Servers {
		p := server.parties(t)
		for _, c := range server.Auth {
			require.Equal(t, []byte(c.LinkSecret), c.link().Append([]byte{0}))
			require.Equal(t, []byte(c.LinkPublic), c.link().Public().Append([]byte{0}))
			auth.requireSame(t, p, c)
		}
		for _, c := range server.Create {
			create.requireSame(t, p, c)
		}
		for _, c := range server.Backup {
			backup.requireSame(t, p, c)
		}
	}
}
