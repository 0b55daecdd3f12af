package servicepb

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// The vectors come from testdata/interop/vectors/content.mjs: Signal's own mock server encoded them.
type vectors struct {
	Schema struct {
		Messages map[string][]schemaField
		Enums    map[string]map[string]int32
	}
	Samples []struct {
		Message, Hex string
		Fields       map[string]any
	}
}

type schemaField struct {
	Number      protoreflect.FieldNumber
	Name, Kind  string
	Type, Oneof string
	Repeated    bool
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/vectors/content.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(data, &v))
	require.NotEmpty(t, v.Samples)
	return v
}

const protoPackage = "signalbox.service."

func messageType(t *testing.T, name string) protoreflect.MessageType {
	t.Helper()
	mt, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(protoPackage + name))
	require.NoError(t, err, "the mock server has a message that is not modelled here")
	return mt
}

// theirsOnly are fields of the mock server's that are left out here. There are none.
var theirsOnly = map[string]string{}

// oursOnly are fields that the mock server lacks, each with where it is from.
var oursOnly = map[string]string{
	"AccountRecord.primary_sends_sms":                        "mautrix/signal",
	"AccountRecord.backup_tier_history":                      "mautrix/signal",
	"AccountRecord.automatic_key_verification_disabled":      "mautrix/signal",
	"AccountRecord.has_seen_admin_delete_education_dialog":   "mautrix/signal",
	"AccountRecord.release_notes_chat_archived":              "mautrix/signal",
	"AccountRecord.release_notes_chat_muted_until_timestamp": "mautrix/signal",
	"AccountRecord.release_notes_chat_blocked":               "mautrix/signal",
	"AccountRecord.release_notes_chat_marked_unread":         "mautrix/signal",
	"AccountRecord.PinnedConversation.release_notes":         "mautrix/signal",
	"AccountRecord.PinnedConversation.Contact.service_id":    "mautrix/signal: older writers",
	"ContactRecord.aci":                                      "mautrix/signal: older writers",
	"ContactRecord.pni":                                      "mautrix/signal: older writers",
	"GroupV1Record.blocked":                                  "mautrix/signal",
	"GroupV1Record.whitelisted":                              "mautrix/signal",
	"GroupV1Record.archived":                                 "mautrix/signal",
	"GroupV1Record.marked_unread":                            "mautrix/signal",
	"GroupV1Record.muted_until_timestamp":                    "mautrix/signal",
	"GroupV2Record.verified_name_hash":                       "mautrix/signal",
	"ProvisionMessage.aci":                                   "mautrix/signal: older primaries",
	"ProvisionMessage.pni":                                   "mautrix/signal: older primaries",
	"Recipient.Contact.service_id":                           "mautrix/signal: older writers",
	"StickerPack.Sticker.content_type":                       "mautrix/signal",
	"StoryDistributionListRecord.recipient_service_ids":      "mautrix/signal: older writers",
	"SyncMessage.Configuration.provisioning_version":         "mock-server 15.2.0",
	"SyncMessage.Keys.storage_service":                       "Signal-Desktop: primaries before the master key was sent",
}

func TestSchemaIsThatOfTheMockServer(t *testing.T) {
	v := loadVectors(t)
	seen := map[string]bool{}
	for name, fields := range v.Schema.Messages {
		descriptor := messageType(t, name).Descriptor()
		numbers := map[protoreflect.FieldNumber]bool{}
		for _, theirs := range fields {
			numbers[theirs.Number] = true
			path := name + "." + theirs.Name
			ours := descriptor.Fields().ByNumber(theirs.Number)
			if ours == nil {
				require.Contains(t, theirsOnly, path)
				seen[path] = true
				continue
			}
			require.Equal(t, theirs.Name, ours.JSONName(), path)
			require.Equal(t, theirs.Kind, ours.Kind().String(), path)
			require.Equal(t, theirs.Repeated, ours.IsList(), path)
			require.Equal(t, theirs.Oneof != "", ours.ContainingOneof() != nil, path)
			if ours.Message() != nil {
				require.Equal(t, protoPackage+theirs.Type, string(ours.Message().FullName()), path)
			}
			if ours.Enum() != nil {
				require.Equal(t, protoPackage+theirs.Type, string(ours.Enum().FullName()), path)
			}
		}
		for i := range descriptor.Fields().Len() {
			if ours := descriptor.Fields().Get(i); !numbers[ours.Number()] {
				path := name + "." + string(ours.Name())
				require.Contains(t, oursOnly, path)
				seen[path] = true
			}
		}
	}
	for path := range oursOnly {
		require.True(t, seen[path], "%s is explained, but not only ours", path)
	}
	for path := range theirsOnly {
		require.True(t, seen[path], "%s is explained, but modelled", path)
	}
}

func TestEnumsAreThoseOfTheMockServer(t *testing.T) {
	for name, values := range loadVectors(t).Schema.Enums {
		enum, err := protoregistry.GlobalTypes.FindEnumByName(protoreflect.FullName(protoPackage + name))
		require.NoError(t, err)
		require.Equal(t, len(values), enum.Descriptor().Values().Len(), name)
		for value, number := range values {
			ours := enum.Descriptor().Values().ByName(protoreflect.Name(value))
			require.NotNil(t, ours, "%s.%s", name, value)
			require.EqualValues(t, number, ours.Number(), "%s.%s", name, value)
		}
	}
}

func TestSamplesFieldByField(t *testing.T) {
	for i, sample := range loadVectors(t).Samples {
		name := fmt.Sprintf("%d %s", i, sample.Message)
		encoded, err := hex.DecodeString(sample.Hex)
		require.NoError(t, err)
		message := messageType(t, sample.Message).New()
		require.NoError(t, proto.Unmarshal(encoded, message.Interface()), name)
		require.Equal(t, sample.Fields, fieldsOf(t, message), name)

		again, err := proto.Marshal(message.Interface())
		require.NoError(t, err)
		require.Len(t, again, len(encoded), name)
		reread := message.New()
		require.NoError(t, proto.Unmarshal(again, reread.Interface()))
		require.True(t, proto.Equal(message.Interface(), reread.Interface()), name)
	}
}

// fieldsOf brings a message into the form of the vectors: by field number, bytes as hex and 64 bits as text.
func fieldsOf(t *testing.T, m protoreflect.Message) map[string]any {
	t.Helper()
	require.Empty(t, m.GetUnknown(), "%s has fields that are not modelled", m.Descriptor().FullName())
	out := map[string]any{}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		key := strconv.Itoa(int(field.Number()))
		if !field.IsList() {
			out[key] = valueOf(t, field, value)
			return true
		}
		list := make([]any, 0, value.List().Len())
		for i := range value.List().Len() {
			list = append(list, valueOf(t, field, value.List().Get(i)))
		}
		out[key] = list
		return true
	})
	return out
}

func valueOf(t *testing.T, field protoreflect.FieldDescriptor, value protoreflect.Value) any {
	t.Helper()
	switch field.Kind() {
	case protoreflect.MessageKind:
		return fieldsOf(t, value.Message())
	case protoreflect.BytesKind:
		return hex.EncodeToString(value.Bytes())
	case protoreflect.StringKind:
		return value.String()
	case protoreflect.BoolKind:
		return value.Bool()
	case protoreflect.EnumKind:
		return float64(value.Enum())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.FormatUint(value.Uint(), 10)
	case protoreflect.FloatKind:
		return value.Float()
	}
	return float64(value.Uint())
}
