package zkcredential_test

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/testdata/interop/official"
)

// peer is the official library.
type peer struct{ *official.Peer }

func startPeer(t testing.TB) peer { return peer{official.Start(t, "zkcredential/peer.mjs")} }

// ask reads the answer into result, and returns the library's refusal as an error.
func (p peer) ask(op string, request map[string]any, result any) error {
	request["op"] = op
	return p.Ask(request, result)
}

func randomBytes(n int) hexBytes {
	b := make(hexBytes, n)
	_, _ = rand.Read(b)
	return b
}

func randomCourse() *course {
	return &course{
		ACI: uuid.NewString(), Time: 86400 * mathrand.Uint64N(1<<20), Level: 200 + mathrand.Uint64N(2),
		Type: 1 + mathrand.Uint64N(2), Root: randomBytes(16), Room: randomBytes(mathrand.IntN(64)), Key: randomBytes(32),
		RequestRandom: randomBytes(32), IssueRandom: randomBytes(32), PresentRandom: randomBytes(32),
	}
}

func (s *officialServer) request(c *course, random hexBytes) map[string]any {
	return map[string]any{
		"secret": s.Secret, "public": s.Public, "aci": c.ACI, "time": c.Time, "level": c.Level, "type": c.Type,
		"root": c.Root, "room": c.Room, "key": c.Key, "context": c.Context, "request": c.Request, "random": random,
		"response": c.Response, "credential": c.Credential, "presentation": c.Presentation, "now": c.Time,
	}
}

// TestOfficialLibraryAgrees has the official library go through random courses. With the same randomness ours come to
// the same bytes, so each side verifies what the other made; and both have to refuse what was tampered with.
func TestOfficialLibraryAgrees(t *testing.T) {
	official := startPeer(t)
	for _, mode := range []byte{0, 1} {
		for _, k := range []*kind{&auth, &create, &backup} {
			for i := range officialCases {
				server := &officialServer{Random: randomBytes(32), Mode: mode}
				require.NoError(t, official.ask("generate",
					map[string]any{"random": server.Random, "mode": mode}, server))
				c := randomCourse()
				official.run(t, k, server, c)
				p := server.parties(t)
				k.requireSame(t, p, c)
				if i%4 == 0 {
					official.requireSameRefusals(t, k, server, p, c)
				}
			}
		}
	}
}

func (p peer) run(t testing.TB, k *kind, server *officialServer, c *course) {
	t.Helper()
	if k.blinded {
		require.NoError(t, p.ask("request"+k.name, server.request(c, c.RequestRandom), c))
	}
	require.NoError(t, p.ask("issue"+k.name, server.request(c, c.IssueRandom), c))
	require.NoError(t, p.ask("receive"+k.name, server.request(c, nil), c))
	require.NoError(t, p.ask("present"+k.name, server.request(c, c.PresentRandom), c))
	require.NoError(t, p.ask("verify"+k.name, server.request(c, nil), &struct{}{}))
}

// requireSameRefusals flips bits of a response and of a presentation. What is flipped outside of the proof the official
// library may take for another credential's; that those are refused is tested in zkgroup, where they are read.
func (p peer) requireSameRefusals(t testing.TB, k *kind, server *officialServer, parties *parties, c *course) {
	t.Helper()
	tampered := *c
	tampered.Response = flipped(c.Response, len(k.response(parties.mode, c)), len(c.Response))
	require.Error(t, p.ask("receive"+k.name, server.request(&tampered, nil), &struct{}{}))
	_, err := k.receive(t, parties, c, tampered.Response)
	require.Error(t, err)

	before, after := k.presentation(t, parties.mode, c)
	tampered = *c
	tampered.Presentation = flipped(c.Presentation, len(before), len(c.Presentation)-len(after))
	require.Error(t, p.ask("verify"+k.name, server.request(&tampered, nil), &struct{}{}))
	require.Error(t, k.verify(t, parties, c, tampered.Presentation))
}

// flipped returns b with one bit of the bytes from start to end changed.
func flipped(b []byte, start, end int) hexBytes {
	out := append(hexBytes(nil), b...)
	out[start+mathrand.IntN(end-start)] ^= 1 << mathrand.IntN(8)
	return out
}
