package zkcredential

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/ristretto"
)

// systemHex is SYSTEM_HARDCODED of libsignal rust/zkcredential/src/credentials.rs.
const systemHex = "589c8718e8263a53a78932b6212a46e7fd52de3ad157b5bb277dba494cfd3471" +
	"d4cc5f90685952917b33366efcce0512a1f8d70f974758266cb04fc424346d37" +
	"b20f49cb2a081c94b1771fd8c172ae21785c61ea2c7e31947ce351e7b5ff0702" +
	"8c5329beb87b317ffcd981e440819d91136c988d6d9fbea4a87e55ed24a5993a" +
	"a02f688ab1d3bd19056f94c8a44b8faddfa3c9c79c95ad44311a7bf00e5e862e" +
	"c2c399f0d689dfb8c2dc0d7caba32afcf58cf0d85f78195a0b5ab732f5655954" +
	"92cfd982321d1f9be4b21fe6a0214306023d6a05d0d23f67ddc1c0400e5e0a5e" +
	"92d17595131b7a095e740b884b8c9bb0226a39cfd027c769c4f4677c51f21b24" +
	"da81fb2bd1356a9d0650f6a63fcc90d93bd74a954ba6f75f0e9fca47a6d21734" +
	"bce7b28f06b76ef2c44d20a07026534e586eb8e1038874a93e44de362ce7bc08" +
	"44bffc88e390c62519e281aa6fd53ff9ddd1d9ba303cf70004278ea2ae66ce05" +
	"a2749d29eba56f3efe99e42902825c473dfc3c154c3762d2e76bd103f629d250" +
	"b2d9d5c243a4cf8f3be21a84f153f44e2733a105cf780a20f03d84fe1ebbeb0e"

func TestSystemParams(t *testing.T) {
	s := system()
	var out []byte
	for _, p := range append([]ristretto.Point{s.w, s.wPrime, s.x0, s.x1, s.v, s.z}, s.y[:]...) {
		out = p.Append(out)
	}
	require.Equal(t, systemHex, hex.EncodeToString(out))
}
