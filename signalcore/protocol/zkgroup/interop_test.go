package zkgroup

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	mathrand "math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/testdata/interop/official"
)

type call map[string]any

type answer struct {
	Result json.RawMessage
	Error  string
}

// library is the official library, which answers in Node.
type library struct{ *official.Peer }

func startOfficial(t *testing.T) library {
	if testing.Short() {
		t.Skip("interop: not in -short")
	}
	t.Parallel() // one side computes while the other does
	return library{official.Start(t, "zkgroup/peer.mjs")}
}

// verdicts asks op about all cases at once.
func (o library) verdicts(t testing.TB, op string, cases []call) []answer {
	t.Helper()
	requests := make([]call, len(cases))
	for i, c := range cases {
		requests[i] = call{"op": op}
		for name, value := range c {
			if b, ok := value.([]byte); ok {
				value = hexBytes(b)
			}
			requests[i][name] = value
		}
	}
	var out []answer
	require.NoError(t, o.Ask(call{"op": "all", "requests": requests}, &out))
	require.Len(t, out, len(cases))
	return out
}

// do is verdicts where none may be refused.
func do[T any](t testing.TB, o library, op string, cases []call) []T {
	t.Helper()
	out := make([]T, len(cases))
	for i, answer := range o.verdicts(t, op, cases) {
		require.Empty(t, answer.Error, "%s: case %d", op, i)
		require.NoError(t, json.Unmarshal(answer.Result, &out[i]))
	}
	return out
}

// each makes the cases of one question.
func each[T any](of []T, make func(T) call) []call {
	var out []call
	for _, one := range of {
		out = append(out, make(one))
	}
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func randomACI() serviceid.ServiceID { return serviceid.NewACI(uuid.New()) }

func randomID() serviceid.ServiceID {
	return serviceid.ServiceID{Kind: serviceid.Kind(mathrand.IntN(2)), UUID: uuid.New()}
}

func randomDay() int64 { return day * (10_000 + mathrand.Int64N(20_000)) }

// flipped returns b with one bit changed, anywhere.
func flipped(b []byte) []byte {
	out := bytes.Clone(b)
	bit := mathrand.IntN(8 * len(b))
	out[bit/8] ^= 1 << (bit % 8)
	return out
}

// requireAgreed checks that the library and we refuse the same cases, and says how many are refused.
func requireAgreed(t *testing.T, theirs []answer, ours []error) {
	t.Helper()
	refused := 0
	for i, err := range ours {
		require.Equal(t, theirs[i].Error != "", err != nil, "case %d: %s, and we: %v", i, theirs[i].Error, err)
		if err != nil {
			require.True(t, isTyped(err), "%v", err)
			refused++
		}
	}
	t.Logf("of %d changed ones, both refuse %d", len(ours), refused)
}

// groupCase is a group with something to encrypt.
type groupCase struct {
	params *GroupSecretParams
	master MasterKey
	id     serviceid.ServiceID
	key    []byte
	random []byte
}

func randomGroups(t *testing.T, n int) []groupCase {
	var out []groupCase
	for i := range n {
		c := groupCase{id: randomID(), key: randomBytes(32), random: randomBytes(32)}
		if i%10 > 0 { // ten members each
			c.params, c.master = out[i-1].params, out[i-1].master
		} else {
			master, err := GenerateMasterKey(rand.Reader)
			require.NoError(t, err)
			c.params, c.master = DeriveGroupSecretParams(master), master
		}
		out = append(out, c)
	}
	return out
}

func TestOfficialLibraryDerivesTheSameGroups(t *testing.T) {
	o := startOfficial(t)
	var masters []MasterKey
	generated := do[struct{ Master hexBytes }](t, o, "generateGroup",
		each(make([]int, interopCases), func(int) call { return call{"random": randomBytes(32)} }))
	for _, g := range generated {
		masters = append(masters, MasterKey(g.Master))
	}
	derived := do[struct{ Secret, Public, ID hexBytes }](t, o, "group",
		each(masters, func(m MasterKey) call { return call{"master": m[:]} }))
	for i, d := range derived {
		p := DeriveGroupSecretParams(masters[i])
		id := p.GroupID()
		equalBytes(t, d.Secret, secretBytes(p))
		equalBytes(t, d.Public, p.PublicParams())
		equalBytes(t, d.ID, id[:])
	}
}

type encrypted struct{ Encrypted hexBytes }

func TestOfficialLibraryAndServiceIDs(t *testing.T) {
	o := startOfficial(t)
	cases := randomGroups(t, interopCases)
	theirs := do[encrypted](t, o, "encryptServiceId",
		each(cases, func(c groupCase) call { return call{"master": c.master[:], "id": account{c.id}} }))
	opened := do[struct{ ID account }](t, o, "decryptServiceId", each(cases, func(c groupCase) call {
		return call{"master": c.master[:], "encrypted": c.params.EncryptServiceID(c.id)}
	}))
	var changed []call
	var ours []error
	for i, c := range cases {
		require.Equal(t, c.id, opened[i].ID.ServiceID)
		equalBytes(t, theirs[i].Encrypted, c.params.EncryptServiceID(c.id))
		got, err := c.params.DecryptServiceID(theirs[i].Encrypted)
		require.NoError(t, err)
		require.Equal(t, c.id, got)
		bad := flipped(theirs[i].Encrypted)
		_, err = c.params.DecryptServiceID(bad)
		changed, ours = append(changed, call{"master": c.master[:], "encrypted": bad}), append(ours, err)
	}
	requireAgreed(t, o.verdicts(t, "decryptServiceId", changed), ours)
}

func TestOfficialLibraryAndProfileKeys(t *testing.T) {
	o := startOfficial(t)
	cases := randomGroups(t, interopCases)
	for i := range cases {
		cases[i].id.Kind = serviceid.ACI
	}
	theirs := do[encrypted](t, o, "encryptProfileKey", each(cases, func(c groupCase) call {
		return call{"master": c.master[:], "key": c.key, "aci": account{c.id}}
	}))
	opened := do[struct{ Key hexBytes }](t, o, "decryptProfileKey", each(cases, func(c groupCase) call {
		encrypted := c.params.EncryptProfileKey(hexBytes(c.key).key(), c.id)
		return call{"master": c.master[:], "encrypted": encrypted, "aci": account{c.id}}
	}))
	commitments := do[struct{ Commitment hexBytes }](t, o, "commitment",
		each(cases, func(c groupCase) call { return call{"key": c.key, "aci": account{c.id}} }))
	var changed []call
	var ours []error
	for i, c := range cases {
		key := hexBytes(c.key).key()
		equalBytes(t, c.key, opened[i].Key)
		equalBytes(t, theirs[i].Encrypted, c.params.EncryptProfileKey(key, c.id))
		equalBytes(t, commitments[i].Commitment, ProfileKeyCommitment(key, c.id))
		got, err := c.params.DecryptProfileKey(theirs[i].Encrypted, c.id)
		require.NoError(t, err)
		require.True(t, key == got)
		bad := flipped(theirs[i].Encrypted)
		_, err = c.params.DecryptProfileKey(bad, c.id)
		changed = append(changed, call{"master": c.master[:], "encrypted": bad, "aci": account{c.id}})
		ours = append(ours, err)
	}
	requireAgreed(t, o.verdicts(t, "decryptProfileKey", changed), ours)
}

func TestOfficialLibraryAndBlobs(t *testing.T) {
	o := startOfficial(t)
	cases := randomGroups(t, interopCases)
	var theirCases, ourCases, changed []call
	var plaintexts, sealed [][]byte
	var ours []error
	for _, c := range cases {
		plaintext, padding := randomBytes(mathrand.IntN(600)), mathrand.Uint32N(200)
		blob, err := c.params.EncryptBlob(bytes.NewReader(c.random), plaintext, padding)
		require.NoError(t, err)
		plaintexts, sealed = append(plaintexts, plaintext), append(sealed, blob)
		theirCases = append(theirCases,
			call{"master": c.master[:], "random": c.random, "plaintext": plaintext, "padding": padding})
		ourCases = append(ourCases, call{"master": c.master[:], "encrypted": blob})
		bad := flipped(blob)
		_, err = c.params.DecryptBlob(bad)
		changed, ours = append(changed, call{"master": c.master[:], "encrypted": bad}), append(ours, err)
	}
	opened := do[struct{ Plaintext hexBytes }](t, o, "decryptBlob", ourCases)
	for i, e := range do[encrypted](t, o, "encryptBlob", theirCases) {
		equalBytes(t, e.Encrypted, sealed[i])
		equalBytes(t, plaintexts[i], opened[i].Plaintext)
		got, err := cases[i].params.DecryptBlob(e.Encrypted)
		require.NoError(t, err)
		equalBytes(t, plaintexts[i], got)
	}
	requireAgreed(t, o.verdicts(t, "decryptBlob", changed), ours)
}
