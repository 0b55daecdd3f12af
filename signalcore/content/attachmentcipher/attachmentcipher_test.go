package attachmentcipher

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	*h = decoded
	return err
}

type vectorCase struct {
	Size           int64
	Padded         bool
	Key, IV        hexBytes
	Encrypted      hexBytes
	EncryptedSize  int64
	EncryptedHash  hexBytes
	Digest         hexBytes
	PlaintextHash  hexBytes
	ChunkSize      uint32
	IncrementalMAC hexBytes
}

type vectors struct {
	Sizes       [][2]int64
	Chunks      [][2]int64
	Cases       []vectorCase
	Incremental struct {
		MACKey, Data hexBytes
		Cases        []struct {
			Length int
			Chunk  uint32
			MACs   hexBytes
		}
	}
}

func load(t testing.TB) vectors {
	raw, err := os.ReadFile("../../../testdata/vectors/attachmentcipher.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

// plaintextOf is the generator's function of the same name.
func plaintextOf(size int64) []byte {
	out := make([]byte, size)
	for i := range out {
		out[i] = byte(i*31 + (i>>8)*7 + int(size))
	}
	return out
}

func TestSizesAreThoseOfTheApps(t *testing.T) {
	v := load(t)
	for _, s := range v.Sizes {
		// Where the apps' formula falls short of the size itself, they add no padding, and neither do we.
		require.Equal(t, max(s[0], s[1]), PaddedSize(s[0]), "size %d", s[0])
	}
	for _, c := range v.Chunks {
		require.EqualValues(t, c[1], ChunkSize(c[0]), "size %d", c[0])
	}
}

func TestVectorsDecrypt(t *testing.T) {
	for _, c := range load(t).Cases {
		if c.Encrypted == nil {
			continue
		}
		var out bytes.Buffer
		require.NoError(t, Decrypt(&out, bytes.NewReader(c.Encrypted), c.decryption()))
		require.True(t, bytes.Equal(plaintextOf(c.Size), out.Bytes()))
		out.Reset()
		require.NoError(t, Decrypt(&out, iotest.OneByteReader(bytes.NewReader(c.Encrypted)), c.decryption()))
		require.True(t, bytes.Equal(plaintextOf(c.Size), out.Bytes()))
	}
}

func TestVectorsEncrypt(t *testing.T) {
	for _, c := range load(t).Cases {
		if !c.Padded {
			continue
		}
		encrypted, got := encrypt(t, plaintextOf(c.Size), EncryptOptions{
			Key: Key(c.Key), Size: c.Size, Random: bytes.NewReader(c.IV), Incremental: true, HashPlaintext: true,
		})
		sum := sha256.Sum256(encrypted)
		require.EqualValues(t, c.EncryptedHash, sum[:])
		require.EqualValues(t, c.Digest, got.Digest[:])
		require.EqualValues(t, c.PlaintextHash, got.PlaintextHash)
		require.EqualValues(t, c.EncryptedSize, got.EncryptedSize)
		require.EqualValues(t, c.EncryptedSize, EncryptedSize(c.Size))
		require.EqualValues(t, c.IncrementalMAC, got.IncrementalMAC)
		require.Equal(t, c.ChunkSize, got.ChunkSize)
		require.NoError(t, Decrypt(io.Discard, bytes.NewReader(encrypted), c.decryption()))
	}
}

func (c vectorCase) decryption() DecryptOptions {
	return DecryptOptions{
		Key: Key(c.Key), Size: c.Size, Digest: c.Digest, PlaintextHash: c.PlaintextHash,
		IncrementalMAC: c.IncrementalMAC, ChunkSize: c.ChunkSize,
	}
}

func encrypt(t testing.TB, plaintext []byte, options EncryptOptions) ([]byte, Encrypted) {
	var out bytes.Buffer
	got, err := Encrypt(&out, bytes.NewReader(plaintext), options)
	require.NoError(t, err)
	return out.Bytes(), got
}

func TestIncrementalMAC(t *testing.T) {
	v := load(t).Incremental
	key := Key(append(make([]byte, 32), v.MACKey...))
	for _, c := range v.Cases {
		m := newIncrementalMAC(key, c.Chunk)
		check := newIncrementalCheck(key, c.Chunk, c.MACs)
		for rest := v.Data[:c.Length]; len(rest) > 0; {
			n := min(7, len(rest))
			m.write(rest[:n])
			check.write(rest[:n])
			rest = rest[n:]
		}
		require.EqualValues(t, c.MACs, m.finish())
		check.finish()
		require.False(t, check.bad)

		surplus := newIncrementalCheck(key, c.Chunk, append(bytes.Clone(c.MACs), make([]byte, 32)...))
		surplus.write(v.Data[:c.Length])
		surplus.finish()
		require.True(t, surplus.bad)
	}
}

// sample returns an encrypted attachment and the options that open it.
func sample(t testing.TB, size int64) ([]byte, DecryptOptions) {
	key, err := GenerateKey(rand.Reader)
	require.NoError(t, err)
	encrypted, got := encrypt(t, plaintextOf(size), EncryptOptions{Key: key, Size: size, Random: rand.Reader})
	return encrypted, DecryptOptions{Key: key, Size: size, Digest: got.Digest[:]}
}

func TestEveryChangeIsSeen(t *testing.T) {
	encrypted, options := sample(t, 700)
	for at := range encrypted {
		changed := bytes.Clone(encrypted)
		changed[at] ^= 1
		require.ErrorIs(t, Decrypt(io.Discard, bytes.NewReader(changed), options), ErrCorrupt, "byte %d", at)
	}
	for length := range encrypted {
		err := Decrypt(io.Discard, bytes.NewReader(encrypted[:length]), options)
		require.ErrorIs(t, err, ErrCorrupt, "%d bytes", length)
	}
	longer := append(bytes.Clone(encrypted), make([]byte, 16)...)
	require.ErrorIs(t, Decrypt(io.Discard, bytes.NewReader(longer), options), ErrMAC)
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	encrypted, good := sample(t, 700)
	plainHash := sha256.Sum256(plaintextOf(700))
	for name, c := range map[string]struct {
		change func(*DecryptOptions)
		want   error
	}{
		"good":                 {func(*DecryptOptions) {}, nil},
		"digest":               {func(o *DecryptOptions) { o.Digest = make([]byte, 32) }, ErrDigest},
		"no digest":            {func(o *DecryptOptions) { o.Digest = nil }, ErrNoDigest},
		"plaintext hash":       {func(o *DecryptOptions) { o.PlaintextHash = make([]byte, 32) }, ErrPlaintextHash},
		"plaintext hash alone": {func(o *DecryptOptions) { o.Digest, o.PlaintextHash = nil, plainHash[:] }, nil},
		"MAC key":              {func(o *DecryptOptions) { o.Key[63] ^= 1 }, ErrMAC},
		"size":                 {func(o *DecryptOptions) { o.Size = 5000 }, ErrTruncated},
		"huge size":            {func(o *DecryptOptions) { o.Size = 1 << 62 }, ErrSourceSize},
		"negative size":        {func(o *DecryptOptions) { o.Size = -1 }, ErrSourceSize},
		"incremental MAC": {
			func(o *DecryptOptions) { o.IncrementalMAC, o.ChunkSize = make([]byte, 64), 100 }, ErrIncrementalMAC,
		},
		"no chunk size": {func(o *DecryptOptions) { o.IncrementalMAC = make([]byte, 64) }, ErrIncrementalMAC},
	} {
		t.Run(name, func(t *testing.T) {
			options := good
			c.change(&options)
			require.ErrorIs(t, Decrypt(io.Discard, bytes.NewReader(encrypted), options), c.want)
		})
	}
	_, err := ParseKey(make([]byte, 32))
	require.ErrorIs(t, err, ErrKey)
}

func TestAnEndlessSourceIsLeft(t *testing.T) {
	_, options := sample(t, 1000)
	endless := &countingReader{}
	require.ErrorIs(t, Decrypt(io.Discard, endless, options), ErrTooLong)
	require.LessOrEqual(t, endless.read, 2*EncryptedSize(1000)+1)
}

type countingReader struct{ read int64 }

func (c *countingReader) Read(p []byte) (int, error) {
	clear(p)
	c.read += int64(len(p))
	return len(p), nil
}

func TestSourceMustHaveItsSize(t *testing.T) {
	for _, size := range []int64{-1, 0, 9, 11, 1 << 62} {
		_, err := Encrypt(io.Discard, bytes.NewReader(make([]byte, 10)), EncryptOptions{Size: size, Random: rand.Reader})
		require.ErrorIs(t, err, ErrSourceSize, "size %d", size)
	}
	boom := errors.New("boom")
	_, err := Encrypt(io.Discard, iotest.ErrReader(boom), EncryptOptions{Size: 10, Random: rand.Reader})
	require.ErrorIs(t, err, boom)
	require.ErrorIs(t, Decrypt(io.Discard, iotest.ErrReader(boom), DecryptOptions{Digest: make([]byte, 32)}), boom)
}

func TestEncrypterIsAProperReader(t *testing.T) {
	for _, size := range []int64{0, 1, 541, 70_000} {
		want, _ := encrypt(t, plaintextOf(size), EncryptOptions{Size: size, Random: bytes.NewReader(make([]byte, 16))})
		e, err := NewEncrypter(bytes.NewReader(plaintextOf(size)),
			EncryptOptions{Size: size, Random: bytes.NewReader(make([]byte, 16))})
		require.NoError(t, err)
		require.NoError(t, iotest.TestReader(e, want))
	}
}

// TestMemoryDoesNotGrowWithTheAttachment sends 32 MiB through both ciphers.
func TestMemoryDoesNotGrowWithTheAttachment(t *testing.T) {
	const size = 32 << 20
	key, err := GenerateKey(rand.Reader)
	require.NoError(t, err)
	e, err := NewEncrypter(io.LimitReader(&countingReader{}, size),
		EncryptOptions{Key: key, Size: size, Random: rand.Reader, Incremental: true})
	require.NoError(t, err)
	hash := sha256.Sum256(make([]byte, size))
	options := DecryptOptions{Key: key, Size: size, PlaintextHash: hash[:]}

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, Decrypt(io.Discard, e, options))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	require.Equal(t, EncryptedSize(size), e.Result().EncryptedSize)
}

func FuzzDecrypt(f *testing.F) {
	encrypted, options := sample(f, 20)
	f.Add(encrypted, int64(20))
	f.Fuzz(func(t *testing.T, encrypted []byte, size int64) {
		options := options
		options.Size = size
		_ = Decrypt(io.Discard, bytes.NewReader(encrypted), options)
	})
}

const benchSize = 16 << 20

func BenchmarkEncrypt(b *testing.B) {
	plaintext := plaintextOf(benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		_, err := Encrypt(io.Discard, bytes.NewReader(plaintext), EncryptOptions{Size: benchSize, Random: rand.Reader})
		require.NoError(b, err)
	}
}

func BenchmarkDecrypt(b *testing.B) {
	encrypted, options := sample(b, benchSize)
	b.SetBytes(benchSize)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, Decrypt(io.Discard, bytes.NewReader(encrypted), options))
	}
}
