package signalcore

import (
	"bytes"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content/storagecipher"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
)

// What this version does not know of a record stays in it, byte for byte, and so does the rest of the manifest.
func TestGroupRecordKeepsWhatIsUnknown(t *testing.T) {
	t.Parallel()
	unknown := protowire.AppendString(protowire.AppendTag(nil, 777, protowire.BytesType), "of the future")
	original := &servicepb.GroupV2Record{
		MasterKey: bytes.Repeat([]byte{1}, 32), HideStory: proto.Bool(true), MutedUntilTimestamp: proto.Uint64(5),
		StorySendMode: servicepb.GroupV2Record_DISABLED.Enum(),
	}
	original.ProtoReflect().SetUnknown(unknown)
	raw, err := proto.Marshal(original)
	require.NoError(t, err)
	old := []byte("old storage id..")
	g := &storepb.Group{MasterKey: original.MasterKey, StorageId: old, StorageRecord: raw}
	stands := &servicepb.ManifestRecord{
		Version: proto.Uint64(41), RecordIkm: bytes.Repeat([]byte{2}, 32),
		Identifiers: []*servicepb.ManifestRecord_Identifier{
			{Raw: []byte("a contact"), Type: servicepb.ManifestRecord_Identifier_CONTACT.Enum()},
			{Raw: old, Type: servicepb.ManifestRecord_Identifier_GROUPV2.Enum()},
			{Raw: []byte("later kind"), Type: servicepb.ManifestRecord_Identifier_Type(99).Enum()},
		},
	}
	stands.ProtoReflect().SetUnknown(unknown)
	for name, keys := range map[string]storagecipher.ItemKeys{
		"key material of its own": {StorageKey: [32]byte{3}, RecordIKM: stands.RecordIkm}, "old keys": {StorageKey: [32]byte{3}},
	} {
		t.Run(name, func(t *testing.T) {
			edit, err := editGroupRecord(rand.Reader, keys, g)
			require.NoError(t, err)
			require.Nil(t, edit, "nothing to write")
			changed := proto.CloneOf(g)
			changed.Whitelisted = true
			edit, err = editGroupRecord(rand.Reader, keys, changed)
			require.NoError(t, err)
			operation, err := edit.operation(rand.Reader, keys, stands, 3)
			require.NoError(t, err)
			require.Equal(t, [][]byte{old}, operation.DeleteKey)
			require.Len(t, operation.InsertItem, 1)
			written, err := keys.OpenItem(operation.InsertItem[0])
			require.NoError(t, err)
			want := proto.CloneOf(original)
			want.Whitelisted = proto.Bool(true)
			require.True(t, proto.Equal(want, written.GetGroupV2()))
			require.Equal(t, unknown, []byte(written.GetGroupV2().ProtoReflect().GetUnknown()))

			manifest, err := storagecipher.OpenManifest(keys.StorageKey, operation.Manifest)
			require.NoError(t, err)
			require.EqualValues(t, 42, manifest.GetVersion())
			require.EqualValues(t, 3, manifest.GetSourceDevice())
			require.Equal(t, unknown, []byte(manifest.ProtoReflect().GetUnknown()))
			require.Len(t, manifest.Identifiers, 3)
			require.Equal(t, []byte("later kind"), manifest.Identifiers[1].GetRaw())
			require.Equal(t, operation.InsertItem[0].GetKey(), manifest.Identifiers[2].GetRaw())
			require.Len(t, stands.Identifiers, 3, "the one that stands is left alone")
			require.Equal(t, old, stands.Identifiers[1].GetRaw())
		})
	}
	forgotten := proto.CloneOf(g)
	forgotten.Forgotten = true
	edit, err := editGroupRecord(rand.Reader, storagecipher.ItemKeys{}, forgotten)
	require.NoError(t, err)
	operation, err := edit.operation(rand.Reader, storagecipher.ItemKeys{}, stands, 3)
	require.NoError(t, err)
	require.Equal(t, [][]byte{old}, operation.DeleteKey)
	require.Empty(t, operation.InsertItem)
	require.Len(t, edit.manifest.Identifiers, 2)
	forgotten.StorageId = nil
	edit, err = editGroupRecord(rand.Reader, storagecipher.ItemKeys{}, forgotten)
	require.NoError(t, err)
	require.Nil(t, edit)
}
