package mlkem

import (
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha3"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func newRandom(label string) *rand.ChaCha8 { return rand.NewChaCha8(sha3.Sum256([]byte(label))) }

func newSeed(t *testing.T, random *rand.ChaCha8) (seed Seed) {
	t.Helper()
	_, err := random.Read(seed[:])
	require.NoError(t, err)
	return seed
}

// TestAgainstStandard compares both steps with an encapsulation of the standard library, byte for byte.
func TestAgainstStandard(t *testing.T) {
	random := newRandom("standard")
	for range 100 {
		seed := newSeed(t, random)
		header, vector, err := seed.EncapsulationKey()
		require.NoError(t, err)
		require.NoError(t, Check(header, vector))
		var m Message
		_, _ = random.Read(m[:])

		ciphertext, secret := Encapsulate1(header, m)
		ciphertext2, err := Encapsulate2(header, m, vector)
		require.NoError(t, err)
		ciphertext = append(ciphertext, ciphertext2...)

		dk, err := mlkem.NewDecapsulationKey768(seed[:])
		require.NoError(t, err)
		require.Equal(t, dk.EncapsulationKey().Bytes(), append(vector, header.rho()...))
		wantSecret, wantCiphertext, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), m[:])
		require.NoError(t, err)
		require.Equal(t, wantSecret, secret)
		require.Equal(t, wantCiphertext, ciphertext)
		decapsulated, err := seed.Decapsulate(ciphertext)
		require.NoError(t, err)
		require.Equal(t, secret, decapsulated)
	}
}

// TestAccumulated compares hashes over many encapsulations to one key, ours and the standard library's.
func TestAccumulated(t *testing.T) {
	random := newRandom("accumulated")
	seed := newSeed(t, random)
	header, vector, err := seed.EncapsulationKey()
	require.NoError(t, err)
	dk, err := mlkem.NewDecapsulationKey768(seed[:])
	require.NoError(t, err)
	ours, standard := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	for range 1000 {
		var m Message
		_, _ = random.Read(m[:])
		c1, secret := Encapsulate1(header, m)
		c2, err := Encapsulate2(header, m, vector)
		require.NoError(t, err)
		for _, part := range [][]byte{secret, c1, c2} {
			_, _ = ours.Write(part)
		}
		secret, ciphertext, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), m[:])
		require.NoError(t, err)
		_, _ = standard.Write(secret)
		_, _ = standard.Write(ciphertext)
	}
	var got, want [32]byte
	_, _ = ours.Read(got[:])
	_, _ = standard.Read(want[:])
	require.Equal(t, want, got)
}

func TestCheckRefuses(t *testing.T) {
	seed := newSeed(t, newRandom("refuse"))
	header, vector, err := seed.EncapsulationKey()
	require.NoError(t, err)
	changed := func(b []byte, at int) []byte {
		b = append([]byte(nil), b...)
		b[at] ^= 1
		return b
	}
	unreduced := append([]byte(nil), vector...)
	unreduced[0], unreduced[1] = 0xff, 0xff
	honest := sha3.Sum256(append(unreduced[:VectorSize:VectorSize], header.rho()...))
	forged := Header(append(append([]byte(nil), header.rho()...), honest[:]...))
	tests := map[string]struct {
		header Header
		vector []byte
	}{
		"changed seed":   {Header(changed(header[:], 3)), vector},
		"changed hash":   {Header(changed(header[:], 40)), vector},
		"changed vector": {header, changed(vector, 700)},
		"short":          {header, vector[1:]},
		"long":           {header, append([]byte{0}, vector...)},
		"empty":          {header, nil},
		"not reduced":    {forged, unreduced},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, Check(test.header, test.vector), ErrVector)
		})
	}
	_, err = Encapsulate2(header, Message{}, unreduced)
	require.ErrorIs(t, err, ErrVector)
	_, err = Encapsulate2(header, Message{}, vector[:10])
	require.ErrorIs(t, err, ErrVector)
}

func TestDecapsulateRejectsImplicitly(t *testing.T) {
	seed := newSeed(t, newRandom("implicit"))
	header, vector, err := seed.EncapsulationKey()
	require.NoError(t, err)
	ciphertext, secret := Encapsulate1(header, Message{1})
	c2, err := Encapsulate2(header, Message{1}, vector)
	require.NoError(t, err)
	ciphertext = append(ciphertext, c2...)
	ciphertext[17] ^= 1
	other, err := seed.Decapsulate(ciphertext)
	require.NoError(t, err)
	require.NotEqual(t, secret, other)
	_, err = seed.Decapsulate(ciphertext[1:])
	require.Error(t, err)
}

// TestDivide goes through the edges of every quotient in its range, so it proves divide for all of it.
func TestDivide(t *testing.T) {
	for quotient := uint32(0); (quotient+1)*q <= 1<<26; quotient++ {
		if divide(quotient*q) != quotient || divide(quotient*q+q-1) != quotient {
			t.Fatal(quotient)
		}
	}
}

func TestCompress(t *testing.T) {
	for _, d := range []uint{1, 4, 10} {
		for x := range fieldElement(q) {
			want := (int(x)<<(d+1) + q) / (2 * q) % (1 << d)
			require.EqualValues(t, want, compress(x, d))
		}
	}
}

func TestNTTRoundTrip(t *testing.T) {
	random := rand.New(newRandom("ntt"))
	for range 200 {
		var f ringElement
		for i := range f {
			f[i] = fieldElement(random.IntN(q))
		}
		require.Equal(t, f, f.ntt().inverseNTT())
	}
}

// TestProduct compares products through the NTT with schoolbook multiplication modulo X^256 + 1.
func TestProduct(t *testing.T) {
	random := rand.New(newRandom("product"))
	var f, g, want ringElement
	for i := range f {
		f[i], g[i] = fieldElement(random.IntN(q)), fieldElement(random.IntN(q))
	}
	for i, a := range f {
		for j, b := range g {
			if i+j < n {
				want[i+j] = add(want[i+j], multiply(a, b))
			} else {
				want[i+j-n] = sub(want[i+j-n], multiply(a, b))
			}
		}
	}
	var product nttElement
	x, y := f.ntt(), g.ntt()
	product.addProduct(&x, &y)
	require.Equal(t, want, product.inverseNTT())
}

func BenchmarkEncapsulate1(b *testing.B) {
	header, _, _ := (&Seed{1}).EncapsulationKey()
	for b.Loop() {
		Encapsulate1(header, Message{1})
	}
}

func BenchmarkEncapsulate2(b *testing.B) {
	header, vector, _ := (&Seed{1}).EncapsulationKey()
	for b.Loop() {
		_, _ = Encapsulate2(header, Message{1}, vector)
	}
}
