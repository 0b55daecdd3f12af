package spqr

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/spqr/internal/erasure"
)

func TestMessageLayout(t *testing.T) {
	chunk := erasure.Chunk{Index: 300, Data: [32]byte(bytes.Repeat([]byte{0xcd}, 32))}
	data := hex.EncodeToString(chunk.Data[:])
	tests := map[string]struct {
		message message
		want    string
	}{
		"nothing":    {message{1, 1, payload{kind: nothing}}, "01010100"},
		"header":     {message{1, 2, payload{headerChunk, chunk}}, "01010201ac02" + data},
		"key":        {message{128, 0, payload{keyChunk, chunk}}, "0180010002ac02" + data},
		"key, ack":   {message{2, 300, payload{keyChunkAndAck, chunk}}, "0102ac0203ac02" + data},
		"ack":        {message{2, 127, payload{kind: ack}}, "01027f04"},
		"ct1":        {message{2, math.MaxUint32, payload{ct1Chunk, chunk}}, "0102ffffffff0f05ac02" + data},
		"ct2":        {message{math.MaxUint64, 1, payload{ct2Chunk, chunk}}, "01ffffffffffffffffff010106ac02" + data},
		"last chunk": {message{1, 1, payload{ct1Chunk, erasure.Chunk{Index: 0xffff, Data: chunk.Data}}}, "01010105ffff03" + data},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := test.message.marshal()
			require.Equal(t, test.want, hex.EncodeToString(b))
			parsed, err := parseMessage(b)
			require.NoError(t, err)
			require.Equal(t, test.message, parsed)
			parsed, err = parseMessage(append(b, "later versions may say more"...))
			require.NoError(t, err)
			require.Equal(t, test.message, parsed)
			for cut := range b {
				_, err := parseMessage(b[:cut])
				require.ErrorIs(t, err, ErrMessage)
			}
		})
	}
}

func TestMalformedMessages(t *testing.T) {
	data := hex.EncodeToString(make([]byte, 32))
	tests := map[string]string{
		"other version":       "02010100",
		"epoch 0":             "01000100",
		"unknown kind":        "01010107",
		"index of 33 bits":    "0101808080801000",
		"chunk index 65536":   "0101010580800400" + data,
		"endless epoch":       "018080808080808080808080",
		"varint of 11 bytes":  "01ffffffffffffffffffff010100",
		"chunk one byte less": "0101010500" + data[2:],
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b, err := hex.DecodeString(test)
			require.NoError(t, err)
			_, err = parseMessage(b)
			require.ErrorIs(t, err, ErrMessage)
		})
	}
	m, err := parseMessage([]byte{1, 0x81, 0x80, 0x00, 0x82, 0x00, 4})
	require.NoError(t, err, "varints may be longer than needed")
	require.Equal(t, message{1, 2, payload{kind: ack}}, m)
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte{1, 1, 1, 0})
	f.Add(append([]byte{1, 1, 1, 5, 0}, make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b)
		if err != nil {
			return
		}
		again, err := parseMessage(m.marshal())
		require.NoError(t, err)
		require.Equal(t, m, again)
	})
}
