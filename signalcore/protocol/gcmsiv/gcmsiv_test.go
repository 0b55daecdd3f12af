package gcmsiv

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type vector struct{ Key, Nonce, Plaintext, Additional, Sealed string }

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	require.NoError(t, err)
	return b
}

func (v vector) check(t *testing.T) {
	t.Helper()
	key, nonce := [KeySize]byte(unhex(t, v.Key)), [NonceSize]byte(unhex(t, v.Nonce))
	plaintext, additional, want := unhex(t, v.Plaintext), unhex(t, v.Additional), unhex(t, v.Sealed)
	sealed := Seal(key, nonce, plaintext, additional)
	require.Equal(t, want, sealed)
	opened, err := Open(key, nonce, sealed, additional)
	require.NoError(t, err)
	require.True(t, bytes.Equal(plaintext, opened))

	for i := 0; i < len(sealed); i += 1 + len(sealed)/100 {
		sealed[i] ^= 1 << (i % 8)
		_, err := Open(key, nonce, sealed, additional)
		require.ErrorIs(t, err, ErrOpen, "byte %d", i)
		sealed[i] ^= 1 << (i % 8)
	}
	_, err = Open(key, nonce, sealed, append(additional, 0))
	require.ErrorIs(t, err, ErrOpen)
	nonce[11] ^= 1
	_, err = Open(key, nonce, sealed, additional)
	require.ErrorIs(t, err, ErrOpen)
}

// TestRFC8452 has vectors of RFC 8452, appendices C.2 and C.3.
func TestRFC8452(t *testing.T) {
	one, three := "01"+strings.Repeat("00", 31), "03"+strings.Repeat("00", 11)
	block := func(n ...string) string { return strings.Join(n, strings.Repeat("00", 15)) + strings.Repeat("00", 15) }
	for _, v := range []vector{
		{one, three, "", "", "07f5f4169bbf55a8400cd47ea6fd400f"},
		{one, three, "0100000000000000", "", "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"},
		{one, three, "010000000000000000000000", "", "9aab2aeb3faa0a34aea8e2b18ca50da9ae6559e48fd10f6e5c9ca17e"},
		{one, three, block("01"), "", "85a01b63025ba19b7fd3ddfc033b3e76c9eac6fa700942702e90862383c6c366"},
		{one, three, block("01", "02"), "",
			"4a6a9db4c8c6549201b9edb53006cba821ec9cf850948a7c86c68ac7539d027fe819e63abcd020b006a976397632eb5d"},
		{one, three, block("01", "02", "03", "04"), "", "c2d5160a1f8683834910acdafc41fbb1632d4a353e8b905ec9a5499ac34f96c7" +
			"e1049eb080883891a4db8caaa1f99dd004d80487540735234e3744512c6f90ce112864c269fc0d9d88c61fa47e39aa08"},
		{one, three, "0200000000000000", "01", "1de22967237a813291213f267e3b452f02d01ae33e4ec854"},
		{one, three, block("02", "03"), "01",
			"07dad364bfc2b9da89116d7bef6daaaf6f255510aa654f920ac81b94e8bad365aea1bad12702e1965604374aab96dbbc"},
		{one, three, "02000000", "010000000000000000000000", "22b3f4cd1835e517741dfddccfa07fa4661b74cf"},
		{one, three, block("03") + "04000000", block("01") + "0200",
			"43dd0163cdb48f9fe3212bf61b201976067f342bb879ad976d8242acc188ab59cabfe307"},
		{"e66021d5eb8e4f4066d4adb9c33560e4f46e44bb3da0015c94f7088736864200", "e0eaf5284d884a0e77d31646", "", "",
			"169fbb2fbf389a995f6390af22228a62"},
		{"bae8e37fc83441b16034566b7a806c46bb91c3c5aedb64a6c590bc84d1a5e269", "e4b47801afc0577e34699b9e", "671fdd",
			"4fbdc66f14", "0eaccb93da9bb81333aee0c785b240d319719d"},
		{"3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23", "688089e55540db1872504e1c",
			"ced532ce4159b035277d4dfbb7db62968b13cd4eec", "734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541",
			"626660c26ea6612fb17ad91e8e767639edd6c9faee9d6c7029675b89eaf4ba1ded1a286594"},
		// C.3: the counter wraps around.
		{strings.Repeat("00", 32), strings.Repeat("00", 12), strings.Repeat("00", 16) + "4db923dc793ee6497c76dcc03a98e108", "",
			"f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff000000000000000000000000"},
	} {
		v.check(t)
	}
}

func TestOfficialLibrary(t *testing.T) {
	raw, err := os.ReadFile("../../../testdata/vectors/gcmsiv.json")
	require.NoError(t, err)
	var vectors []vector
	require.NoError(t, json.Unmarshal(raw, &vectors))
	require.NotEmpty(t, vectors)
	for _, v := range vectors {
		v.check(t)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(make([]byte, 40), []byte("additional"))
	f.Fuzz(func(t *testing.T, sealed, additional []byte) {
		key, nonce := [KeySize]byte{1}, [NonceSize]byte{2}
		_, err := Open(key, nonce, sealed, additional)
		require.ErrorIs(t, err, ErrOpen)
		opened, err := Open(key, nonce, Seal(key, nonce, sealed, additional), additional)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sealed, opened))
	})
}
