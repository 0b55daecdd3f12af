package poksho_test

import (
	"encoding/hex"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/poksho"
	"signalbox/signalcore/protocol/ristretto"
)

// count returns n bytes that count up from first.
func count(first byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = first + byte(i)
	}
	return out
}

func wide(first byte) ristretto.Scalar { return ristretto.ScalarFromWide([64]byte(count(first, 64))) }

func complexStatement() (*poksho.Statement, poksho.Scalars, poksho.Points) {
	a, b, c, d := wide(10), wide(20), wide(30), wide(40)
	h, i := ristretto.BaseMul(wide(50)), ristretto.BaseMul(wide(60))
	statement := new(poksho.Statement).
		Add("A", poksho.Product{"a", "G"}, poksho.Product{"b", "H"}, poksho.Product{"c", "I"}).
		Add("B", poksho.Product{"c", "H"}, poksho.Product{"d", "I"})
	return statement, poksho.Scalars{"a": a, "b": b, "c": c, "d": d}, poksho.Points{
		"A": ristretto.BaseMul(a).Add(h.Mul(b)).Add(i.Mul(c)),
		"B": h.Mul(c).Add(i.Mul(d)),
		"H": h,
		"I": i,
	}
}

// complexProof is from libsignal rust/poksho/src/statement.rs, test_complex_statement.
const complexProof = "8efc676c33e6b2d0670ed5461a507f6a4bc9153e261db80fa438f3cd80a5c909" +
	"b113cc0d7990ad616d0a2fc4b831d06357a5ee5d36d44b3427c7901061180c0f" +
	"b1798c51680fe21b9f98e97955b1597c49314725c1546a369328cf54daae710b" +
	"fc4a9911422aa77ed6d7231de3003ba5ae9d9fd0c53ced7ad782e29b04684a07" +
	"221a6ef47ce61d817f01117cf59df69ac35b5bb590f1f7b6d029717bc1a62501"

func TestComplexStatement(t *testing.T) {
	statement, scalars, points := complexStatement()
	proof, err := statement.Prove(scalars, points, nil, [32]byte(count(0, 32)))
	require.NoError(t, err)
	require.Equal(t, complexProof, hex.EncodeToString(proof))
	require.NoError(t, statement.Verify(proof, points, nil))

	require.ErrorIs(t, statement.Verify(proof, points, count(0, 32)), poksho.ErrVerification)
	for name, bad := range map[string][]byte{
		"empty":          nil,
		"a byte more":    append(proof[:len(proof):len(proof)], 0),
		"a scalar less":  proof[:len(proof)-32],
		"a scalar more":  append(proof[:len(proof):len(proof)], make([]byte, 32)...),
		"no response":    proof[:32],
		"not canonical":  append(proof[:len(proof)-32:len(proof)-32], count(255-31, 32)...),
		"last byte":      append(proof[:len(proof)-1:len(proof)-1], proof[len(proof)-1]+1),
		"swapped points": swap(proof),
	} {
		require.ErrorIs(t, statement.Verify(bad, points, nil), poksho.ErrVerification, name)
	}
}

func swap(proof []byte) []byte {
	out := append([]byte(nil), proof...)
	copy(out[32:64], proof[64:96])
	copy(out[64:96], proof[32:64])
	return out
}

func TestEveryBitOfAProofCounts(t *testing.T) {
	statement, scalars, points := complexStatement()
	proof, err := statement.Prove(scalars, points, []byte("m"), [32]byte{})
	require.NoError(t, err)
	for i := range proof {
		proof[i] ^= 1 << (i % 8)
		require.ErrorIs(t, statement.Verify(proof, points, []byte("m")), poksho.ErrVerification)
		proof[i] ^= 1 << (i % 8)
	}
}

func TestArgumentsThatDoNotFit(t *testing.T) {
	statement, scalars, points := complexStatement()
	proof, err := statement.Prove(scalars, points, nil, [32]byte{})
	require.NoError(t, err)
	change := map[string]func(poksho.Scalars, poksho.Points){
		"a scalar more":    func(s poksho.Scalars, _ poksho.Points) { s["abc"] = s["a"] },
		"a scalar less":    func(s poksho.Scalars, _ poksho.Points) { delete(s, "a") },
		"another scalar":   func(s poksho.Scalars, _ poksho.Points) { s["abc"] = s["a"]; delete(s, "a") },
		"a point more":     func(_ poksho.Scalars, p poksho.Points) { p["xyz"] = p["A"] },
		"a point less":     func(_ poksho.Scalars, p poksho.Points) { delete(p, "A") },
		"another point":    func(_ poksho.Scalars, p poksho.Points) { p["xyz"] = p["A"]; delete(p, "A") },
		"the generator":    func(_ poksho.Scalars, p poksho.Points) { p["G"] = p["A"] },
		"both of the lots": func(s poksho.Scalars, p poksho.Points) { clear(s); clear(p) },
	}
	for name, edit := range change {
		_, scalars, points := complexStatement()
		edit(scalars, points)
		_, err := statement.Prove(scalars, points, nil, [32]byte{})
		require.ErrorIs(t, err, poksho.ErrArguments, name)
		if len(points) != 4 {
			require.ErrorIs(t, statement.Verify(proof, points, nil), poksho.ErrArguments, name)
		}
	}
}

func TestFalseStatementIsNotProven(t *testing.T) {
	statement, scalars, points := complexStatement()
	scalars["a"] = wide(11)
	_, err := statement.Prove(scalars, points, nil, [32]byte{})
	require.ErrorIs(t, err, poksho.ErrFalse)
}

// The signature is from libsignal rust/poksho/src/sign.rs, test_signature.
func TestSignature(t *testing.T) {
	private := wide(0)
	public := ristretto.BaseMul(private)
	signed, err := poksho.Sign(private, public, count(0, 100), [32]byte(count(0, 32)))
	require.NoError(t, err)
	require.Equal(t, "a08f6b34a282dd4c7cfc40b918f224a6b631ca5f6480a10b42bd1408602a7e00"+
		"8a23a1e32479befb5e26b9f0f4fe0e9e9e9ec9afad269143acb03a22c6364f03", hex.EncodeToString(signed))
	require.NoError(t, poksho.VerifySignature(signed, public, count(0, 100)))
	require.ErrorIs(t, poksho.VerifySignature(signed, public, count(0, 99)), poksho.ErrVerification)
	require.ErrorIs(t, poksho.VerifySignature(signed, ristretto.BaseMul(wide(1)), count(0, 100)), poksho.ErrVerification)
	_, err = poksho.Sign(wide(1), public, nil, [32]byte{})
	require.ErrorIs(t, err, poksho.ErrFalse)
}

// TestRandomStatements proves statements of random shape that hold, and breaks them.
func TestRandomStatements(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		statement, scalars, points := new(poksho.Statement), poksho.Scalars{}, poksho.Points{}
		for e := range 1 + r.IntN(4) {
			var left ristretto.Point
			var right []poksho.Product
			for range 1 + r.IntN(4) {
				scalar, point := "s"+strconv.Itoa(r.IntN(5)), "P"+strconv.Itoa(r.IntN(5))
				if _, known := scalars[scalar]; !known {
					scalars[scalar] = wide(byte(r.Uint32()))
				}
				if _, known := points[point]; !known {
					points[point] = ristretto.BaseMul(wide(byte(r.Uint32())))
				}
				right = append(right, poksho.Product{scalar, point})
				left = left.Add(points[point].Mul(scalars[scalar]))
			}
			name := "L" + strconv.Itoa(e)
			points[name] = left
			statement.Add(name, right...)
		}
		proof, err := statement.Prove(scalars, points, []byte("message"), [32]byte{})
		require.NoError(t, err)
		require.NoError(t, statement.Verify(proof, points, []byte("message")))
		points["L0"] = points["L0"].Add(ristretto.Base())
		require.ErrorIs(t, statement.Verify(proof, points, []byte("message")), poksho.ErrVerification)
	}
}

func FuzzVerify(f *testing.F) {
	proof, _ := hex.DecodeString(complexProof)
	f.Add(proof)
	f.Fuzz(func(t *testing.T, b []byte) {
		statement, _, points := complexStatement()
		if hex.EncodeToString(b) != complexProof {
			require.ErrorIs(t, statement.Verify(b, points, nil), poksho.ErrVerification)
		}
	})
}
