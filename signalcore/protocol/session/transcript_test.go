package session

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

const transcriptFile = "../../../testdata/vectors/transcript.json"

// transcriptLength takes both sides through the first epochs of the post-quantum ratchet.
const transcriptLength = 120

func TestTranscript(t *testing.T) {
	their := serviceid.Address{
		ServiceID: serviceid.NewACI(uuid.MustParse("796abedb-ca4e-4f18-8803-1fde5b921f9f")), DeviceID: 2,
	}
	if os.Getenv("RECORD_TRANSCRIPT") != "" {
		recordTranscript(t, their)
	}
	data, err := os.ReadFile(transcriptFile)
	require.NoError(t, err)
	var script transcript
	require.NoError(t, json.Unmarshal(data, &script))
	require.Len(t, script.Theirs, transcriptLength)

	ours := newParty(t, 1)
	ours.open(their, script.Bundle.parse(t))
	for i, m := range script.Theirs {
		ours.restart()
		require.Equal(t, script.Ours[i], digest(ours.encrypt(their, fmt.Sprint("ours ", i))), "our message %d", i)
		ours.restart()
		got, err := ours.decrypt(their, sent{m.Type, m.Ciphertext})
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint("theirs ", i), got)
	}
}

func recordTranscript(t *testing.T, their serviceid.Address) {
	d := startPeer(t).device("transcript", their)
	bundle := d.bundle(true)
	ours := newParty(t, 1)
	ours.open(their, bundle)
	script := transcript{Bundle: toPeerBundle(bundle)}
	for i := range transcriptLength {
		m := ours.encrypt(their, fmt.Sprint("ours ", i))
		script.Ours = append(script.Ours, digest(m))
		_, err := d.decrypt(ours, m)
		require.NoError(t, err)
		answer := d.encrypt(ours, fmt.Sprint("theirs ", i))
		script.Theirs = append(script.Theirs, recordedMessage{answer.kind, answer.ciphertext})
		_, err = ours.decrypt(their, answer)
		require.NoError(t, err)
	}
	data, err := json.MarshalIndent(script, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(transcriptFile, append(data, '\n'), 0o644))
}

func digest(m sent) string {
	sum := sha256.Sum256(m.ciphertext)
	return hex.EncodeToString(sum[:])
}
