package erasure

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// multiplySlowly is the schoolbook product, bit by bit.
func multiplySlowly(a, b uint16) (product uint16) {
	for ; b != 0; b >>= 1 {
		if b&1 != 0 {
			product ^= a
		}
		carry := a >> 15
		a = a<<1 ^ carry*modulusTail
	}
	return product
}

func TestMultiply(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	for range 200_000 {
		a, b := uint16(random.Uint32()), uint16(random.Uint32())
		if multiply(a, b) != multiplySlowly(a, b) {
			t.Fatalf("%#x, %#x", a, b)
		}
	}
	require.Equal(t, multiplySlowly(0xffff, 0xffff), multiply(0xffff, 0xffff))
}

func TestInvert(t *testing.T) {
	require.Zero(t, invert(0))
	all := make([]uint16, 0xffff)
	for i := range all {
		all[i] = uint16(i + 1)
		if multiply(all[i], invert(all[i])) != 1 {
			t.Fatal(all[i])
		}
	}
	invertAll(all)
	for i, inverse := range all {
		if multiply(uint16(i+1), inverse) != 1 {
			t.Fatal(i + 1)
		}
	}
}

func randomMessage(random *rand.Rand, chunks int) []byte {
	message := make([]byte, chunks*ChunkSize)
	for i := range message {
		message[i] = byte(random.Uint32())
	}
	return message
}

// chunkSlowly evaluates Lagrange's formula directly, one element at a time.
func chunkSlowly(message []byte, x uint16) (data [ChunkSize]byte) {
	n := len(message) / ChunkSize
	for lane := 0; lane < ChunkSize; lane += 2 {
		var sum uint16
		for j := range n {
			term := uint16(message[j*ChunkSize+lane])<<8 | uint16(message[j*ChunkSize+lane+1])
			for m := range n {
				if m != j {
					term = multiplySlowly(term, x^uint16(m))
					term = multiplySlowly(term, invert(uint16(j^m)))
				}
			}
			sum ^= term
		}
		data[lane], data[lane+1] = byte(sum>>8), byte(sum)
	}
	return data
}

func TestEncoder(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	for _, n := range []int{1, 2, 3, 5, 30, 34, 36} {
		message := randomMessage(random, n)
		encoder, err := NewEncoder(message, 0)
		require.NoError(t, err)
		for i := range n {
			chunk := encoder.Next()
			require.EqualValues(t, i, chunk.Index)
			require.Equal(t, message[i*ChunkSize:][:ChunkSize], chunk.Data[:])
		}
		for range 3 {
			chunk := encoder.Next()
			require.Equal(t, chunkSlowly(message, chunk.Index), chunk.Data)
		}
		last, err := NewEncoder(message, 0xffff)
		require.NoError(t, err)
		chunk := last.Next()
		require.Equal(t, chunkSlowly(message, 0xffff), chunk.Data)
		require.Zero(t, last.Next().Index)
	}
}

// TestDecoder gives random chunks in random order, some of them twice, with the decoder stored after each.
func TestDecoder(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	for round := range 200 {
		n := []int{1, 3, 5, 30, 36}[round%5]
		message := randomMessage(random, n)
		decoder, err := NewDecoder(len(message))
		require.NoError(t, err)
		reach := n + random.IntN(40)
		seen := map[uint16]bool{}
		for len(seen) < n {
			_, complete := decoder.Message()
			require.False(t, complete)
			index := uint16(random.IntN(reach))
			if round%7 == 0 {
				index = uint16(random.Uint32())
			}
			encoder, err := NewEncoder(message, index)
			require.NoError(t, err)
			decoder.Add(encoder.Next())
			seen[index] = true
			decoder, err = ParseDecoder(len(message), slices.Clone(decoder.Marshal()))
			require.NoError(t, err)
		}
		got, complete := decoder.Message()
		require.True(t, complete)
		require.Equal(t, message, got)
		before := slices.Clone(decoder.Marshal())
		decoder.Add(Chunk{Index: 0xabcd})
		require.Equal(t, before, decoder.Marshal(), "a complete decoder takes nothing more")
	}
}

func TestAddLeavesStoredBytesAlone(t *testing.T) {
	stored := make([]byte, 0, 200)
	decoder, err := ParseDecoder(96, stored)
	require.NoError(t, err)
	decoder.Add(Chunk{Index: 7, Data: [ChunkSize]byte{1, 2, 3}})
	require.Equal(t, make([]byte, 200), stored[:200])
}

func TestSizes(t *testing.T) {
	for _, size := range []int{-32, 0, 1, 31, 33, MaxChunks*ChunkSize + 32, 1 << 30} {
		_, err := NewDecoder(size)
		require.ErrorIs(t, err, ErrSize)
	}
	_, err := NewEncoder(make([]byte, 33), 0)
	require.ErrorIs(t, err, ErrSize)
	_, err = ParseDecoder(96, make([]byte, recordSize-1))
	require.ErrorIs(t, err, ErrSize)
	_, err = ParseDecoder(96, make([]byte, 4*recordSize))
	require.ErrorIs(t, err, ErrSize)
}

func FuzzParseDecoder(f *testing.F) {
	f.Add(uint16(96), make([]byte, 3*recordSize), uint16(1))
	f.Add(uint16(160), make([]byte, 4*recordSize), uint16(9))
	f.Fuzz(func(t *testing.T, size uint16, records []byte, index uint16) {
		decoder, err := ParseDecoder(int(size), records)
		if err != nil {
			return
		}
		decoder.Add(Chunk{Index: index})
		if message, complete := decoder.Message(); complete {
			require.Len(t, message, int(size))
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, n := range []int{3, 5, 30, 36} {
		for name, index := range map[string]uint16{"systematic": 0, "extended": uint16(n)} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				message := make([]byte, n*ChunkSize)
				for b.Loop() {
					encoder, _ := NewEncoder(message, index)
					encoder.Next()
				}
			})
		}
	}
}

func BenchmarkDecodeWorst(b *testing.B) {
	message := randomMessage(rand.New(rand.NewPCG(4, 4)), MaxChunks)
	encoder, _ := NewEncoder(message, MaxChunks)
	decoder, _ := NewDecoder(len(message))
	for range MaxChunks {
		decoder.Add(encoder.Next())
	}
	for b.Loop() {
		decoder.Message()
	}
}
