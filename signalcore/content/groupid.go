package content

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// ID returns the 32-byte identifier of the group, by which requests and replies name it: the first output of the
// group's parameters (libsignal rust/zkgroup/src/api/groups/group_params.rs, rust/poksho/src/shohmacsha256.rs).
func (g *Group) ID() []byte {
	const label = "Signal_ZKGroup_20200424_GroupMasterKey_GroupSecretParams_DeriveFromMasterKey"
	state := hmacOf(make([]byte, sha256.Size), []byte(label), []byte{0})
	state = hmacOf(state, g.MasterKey, []byte{0})
	return hmacOf(state, binary.BigEndian.AppendUint64(nil, 0), []byte{1})
}

func hmacOf(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}
