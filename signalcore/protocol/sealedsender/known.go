package sealedsender

import "encoding/hex"

// Server certificates that a sender certificate may name by id in place of carrying them, and the revoked ids. Source:
// libsignal rust/protocol/src/sealed_sender.rs (KNOWN_SERVER_CERTIFICATES). They are trusted no more than embedded
// ones: the trust roots decide.

const (
	stagingServerID    = 2
	productionServerID = 3
	// testServerID is signed by a key that no service uses.
	testServerID = 0x7357C357
	// revokedTestID was never given out; it exists to test revocation, and no server certificate is revoked today.
	revokedTestID = 0xDEADC357
)

func knownServerCertificate(id uint32) (*ServerCertificate, error) {
	var encoded string
	switch id {
	case stagingServerID:
		encoded = "0a25080212210539450d63ebd0752c0fd4038b9d07a916f5e174b756d409b5ca79f4c97400631e" +
			"124064c5a38b1e927497d3d4786b101a623ab34a7da3954fae126b04dba9d7a3604ed88cdc855095" +
			"0f0d4a9134ceb7e19b94139151d2c3d6e1c81e9d1128aafca806"
	case productionServerID:
		encoded = "0a250803122105bc9d1d290be964810dfa7e94856480a3f7060d004c9762c24c575a1522353a5a" +
			"1240c11ec3c401eb0107ab38f8600e8720a63169e0e2eb8a3fae24f63099f85ea319c3c1c46d3454" +
			"706ae2a679d1fee690a488adda98a2290b66c906bb60295ed781"
	case testServerID:
		encoded = "0a2908d786df9a07122105847c0d2c375234f365e660955187a3735a0f7613d1609d3a6a4d8c53" +
			"aeaa5a221240e0b9ebacdfc3aa2827f7924b697784d1c25e44ca05dd433e1a38dc6382eb2730d419" +
			"ca9a250b1be9d5a9463e61efd6781777a91b83c97b844d014206e2829785"
	default:
		return nil, ErrUnknownServer
	}
	serialized, err := hex.DecodeString(encoded)
	if err != nil {
		return nil, err
	}
	return ParseServerCertificate(serialized)
}

func isRevoked(id uint32) bool { return id == revokedTestID }
