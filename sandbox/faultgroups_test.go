package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox/faults"
	"signalbox/signalcore/content"
	"signalbox/signalcore/model"
)

// TestFaultsInGroups is TestFaults for groups.
func TestFaultsInGroups(t *testing.T) {
	t.Parallel()
	d := pair(t)
	id := d.club(t)
	d.anna.tells(t, id, "welcome")
	require.Equal(t, "welcome", d.ben.hears(t))
	t.Run("sends", func(t *testing.T) { faultsOfGroupSends(t, d, id) })
	t.Run("changes", func(t *testing.T) { faultsOfGroupChanges(t, d, id) })
	t.Run("reorder", func(t *testing.T) { reorderInGroup(t, d) })
}

// club is a group of two.
func (d duo) club(t *testing.T) []byte {
	t.Helper()
	made, err := d.anna.CreateGroup(contextOf(t), model.GroupCreation{
		Title: "Club", Members: []model.Recipient{recipient(d.ben)},
	})
	require.NoError(t, err)
	require.Empty(t, made.Failures)
	return made.Group.ID
}

// faultsOfGroupSends has faults befall what is sent to many at once, by gRPC.
func faultsOfGroupSends(t *testing.T, d duo, id []byte) {
	s, anna, ben := d.Service, d.anna, d.ben
	for _, c := range []struct {
		rule faults.Rule
		sees func(*testing.T, []error)
	}{
		{faults.Rule{Kind: faults.Latency, LatencyMS: 20}, seesNothing},
		{faults.Rule{Kind: faults.Status, Status: 503}, seesNothing},
		{faults.Rule{Kind: faults.Limited, RetryAfterSeconds: 60}, seesLimit(time.Minute)},
		{faults.Rule{Kind: faults.Cut}, seesNothing},
		{faults.Rule{Kind: faults.MidFrame}, seesNothing},
		{faults.Rule{Kind: faults.Lost}, seesNothing},
		{faults.Rule{Kind: faults.Stale}, seesNothing},
		{faults.Rule{Kind: faults.Missing}, seesNothing},
	} {
		t.Run(string(c.rule.Kind), func(t *testing.T) {
			rule, text := c.rule, "to the club, "+string(c.rule.Kind)
			switch rule.Times = 1; rule.Kind {
			case faults.Stale, faults.Missing:
				rule.Recipient = ben.phone.ACI.String()
			default:
				rule.Method, rule.Path = "GRPC", "/org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientMessage"
			}
			anna.quiet(t)
			var saw []error
			under(t, s, 1, func() { saw = anna.insists(t, model.Destination{Group: id}, text) }, rule)
			c.sees(t, saw)
			ben.hearsAll(t, anna, text)
		})
	}
}

// reorderInGroup has messages overtake the one that brings their sender key. Each is first an entry that cannot be
// read, is asked for again, and then comes once.
func reorderInGroup(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	anna.quiet(t)
	ben.stop()
	id := d.club(t)
	sent := map[string]int{"one": 1, "two": 1, "three": 1}
	for _, text := range []string{"one", "two", "three"} {
		anna.tells(t, id, text)
	}
	heard, unread := map[string]int{}, 0
	under(t, s, 3, func() {
		ben.run()
		for len(heard) < len(sent) {
			if text := ben.hears(t); text != "" {
				heard[text]++
			} else {
				unread++
			}
		}
	}, faults.Rule{Kind: faults.Reorder, Recipient: ben.phone.ACI.String()})
	require.Equal(t, sent, heard)
	require.Positive(t, unread)
	anna.tells(t, id, "in order")
	ben.hearsAll(t, anna, "in order")
}

// faultsOfGroupChanges has faults befall a change of a group, on the storage service. The client may be left not
// knowing; the change repeated makes one revision.
func faultsOfGroupChanges(t *testing.T, d duo, id []byte) {
	s, anna, ben := d.Service, d.anna, d.ben
	revision := anna.group(t, id).Revision
	for _, rule := range []faults.Rule{
		{Kind: faults.Latency, LatencyMS: 20}, {Kind: faults.Status, Status: 503}, {Kind: faults.Limited},
		{Kind: faults.Cut}, {Kind: faults.MidFrame}, {Kind: faults.Lost},
	} {
		t.Run(string(rule.Kind), func(t *testing.T) {
			title := "Club " + string(rule.Kind)
			rule.Method, rule.Path, rule.Times = http.MethodPatch, "/storage/v2/groups", 1
			var saw []error
			under(t, s, 1, func() { saw = anna.renames(t, id, title) }, rule)
			if rule.Kind == faults.Latency {
				require.Empty(t, saw)
			}
			revision++
			g := ben.group(t, id)
			require.Equal(t, title, g.Title)
			require.Equal(t, revision, g.Revision)
		})
	}
}

func (m *member) renames(t *testing.T, id []byte, title string) (saw []error) {
	t.Helper()
	for {
		_, err := m.UpdateGroup(contextOf(t), model.GroupUpdate{Group: id, Title: &title})
		if err == nil {
			return saw
		}
		saw = append(saw, err)
		require.Less(t, len(saw), enough, "the last failure: %v", err)
	}
}

// faultsOfTransfers has faults befall the upload of an attachment, and its download: it arrives whole, with its
// message, once.
func faultsOfTransfers(t *testing.T, d duo) {
	s, anna, ben := d.Service, d.anna, d.ben
	data := noise(300_000)
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		for _, rule := range []faults.Rule{
			{Kind: faults.Latency, LatencyMS: 20}, {Kind: faults.Status, Status: 503}, {Kind: faults.Cut},
			{Kind: faults.MidFrame}, {Kind: faults.Lost},
		} {
			text := fmt.Sprintf("%s %s", method, rule.Kind)
			t.Run(text, func(t *testing.T) {
				rule.Method, rule.Path, rule.Times = method, "/cdn3/attachments", 1
				under(t, s, 1, func() {
					anna.sendsFile(t, ben, text, data)
					got := ben.hearsFile(t)
					require.True(t, bytes.Equal(data, got))
				}, rule)
				ben.hearsNoMore(t, anna, "after "+text)
			})
		}
	}
}

func (m *member) sendsFile(t *testing.T, to *member, text string, data []byte) {
	t.Helper()
	for attempt := 1; ; attempt++ {
		result, err := m.Send(contextOf(t), model.SendRequest{
			To: toMember(to),
			Event: content.Event{Message: &content.Message{
				Text: text, Attachments: []content.Attachment{{ContentType: "application/octet-stream", FileName: "noise"}},
			}},
			Uploads:     []model.Blob{blob(data)},
			SendOptions: model.SendOptions{IdempotencyKey: text},
		})
		if err == nil && len(result.Failures) == 0 {
			return
		}
		require.Less(t, attempt, enough, "the last failure: %v %v", err, result.Failures)
	}
}

// hearsFile waits for a message with one attachment, until that is here.
func (m *member) hearsFile(t *testing.T) []byte {
	t.Helper()
	messages, err := m.Receive(contextOf(t), model.ReceiveOptions{
		Owner: 1, Max: 1, Types: []model.MessageType{model.TypeMessage}, Wait: soon, Attachments: true,
	})
	require.NoError(t, err)
	require.Len(t, messages, 1)
	require.Len(t, messages[0].Attachments, 1)
	require.True(t, messages[0].Attachments[0].Ready, messages[0].Attachments[0].ErrorMessage)
	data := readBlob(t, messages[0].Attachments[0].Data)
	_, err = m.Ack(contextOf(t), 1, []string{messages[0].ID})
	require.NoError(t, err)
	return data
}
