package signalcore

import (
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

// groupChangeEntry is how the inbox keeps a change of a group.
func groupChangeEntry(c model.GroupChange) *storepb.GroupChangeEntry {
	entry := &storepb.GroupChangeEntry{
		Kind: string(c.Kind), Revision: c.Revision, Before: c.Before, After: c.After,
	}
	if !c.Editor.IsZero() {
		entry.Editor = c.Editor.Binary()
	}
	for _, id := range c.Affected {
		entry.Affected = append(entry.Affected, id.Binary())
	}
	return entry
}

// groupChangeOf is the change that such an entry keeps.
func groupChangeOf(entry *storepb.GroupChangeEntry) *model.GroupChange {
	out := &model.GroupChange{
		Kind: model.GroupChangeKind(entry.GetKind()), Revision: entry.GetRevision(),
		Before: entry.GetBefore(), After: entry.GetAfter(),
	}
	if id, err := serviceid.ParseBinary(entry.GetEditor()); err == nil {
		out.Editor = id
	}
	for _, raw := range entry.GetAffected() {
		if id, err := serviceid.ParseBinary(raw); err == nil {
			out.Affected = append(out.Affected, id)
		}
	}
	return out
}
