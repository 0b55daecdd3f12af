package content

import (
	"cmp"
	"slices"
	"unicode/utf16"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/signalpb/servicepb"
)

// maxRanges is how many ranges the apps look at (Signal-Android BodyRangeList).
const maxRanges = 250

// placeholder is the character in whose place the apps show a mentioned name.
const placeholder = 0xFFFC

// ranges reads the mentions and styles of a text of the given length in UTF-16 units.
func (p *parser) ranges(in []*servicepb.BodyRange, length int) (mentions []Mention, styles []Style) {
	if len(in) > maxRanges {
		p.note("%d of %d text ranges left out", len(in)-maxRanges, len(in))
		in = in[:maxRanges]
	}
	for _, r := range in {
		start, count := r.GetStart(), r.GetLength()
		if count == 0 || uint64(start)+uint64(count) > uint64(length) {
			p.note("a text range outside the text left out")
			continue
		}
		switch value := r.GetAssociatedValue().(type) {
		case *servicepb.BodyRange_Style_:
			if style, known := styleNames[value.Style]; known {
				styles = append(styles, Style{start, count, style})
			}
		case *servicepb.BodyRange_MentionAci, *servicepb.BodyRange_MentionAciBinary:
			aci, ok := parseACI(r.GetMentionAci(), r.GetMentionAciBinary())
			if !ok {
				p.note("a mention of nobody left out")
				continue
			}
			mentions = append(mentions, Mention{start, count, aci})
		}
	}
	return mentions, styles
}

var styleNames = map[servicepb.BodyRange_Style]TextStyle{
	servicepb.BodyRange_BOLD:          Bold,
	servicepb.BodyRange_ITALIC:        Italic,
	servicepb.BodyRange_SPOILER:       Spoiler,
	servicepb.BodyRange_STRIKETHROUGH: Strikethrough,
	servicepb.BodyRange_MONOSPACE:     Monospace,
}

var styleValues = map[TextStyle]servicepb.BodyRange_Style{
	Bold:          servicepb.BodyRange_BOLD,
	Italic:        servicepb.BodyRange_ITALIC,
	Spoiler:       servicepb.BodyRange_SPOILER,
	Strikethrough: servicepb.BodyRange_STRIKETHROUGH,
	Monospace:     servicepb.BodyRange_MONOSPACE,
}

// Known reports whether the apps know the style.
func (s TextStyle) Known() bool {
	_, known := styleValues[s]
	return known
}

// buildRanges writes ranges, mentions by their binary id: an old app that reads only text is past its expiry.
func buildRanges(mentions []Mention, styles []Style) []*servicepb.BodyRange {
	var out []*servicepb.BodyRange
	for _, m := range mentions {
		out = append(out, &servicepb.BodyRange{
			Start: proto.Uint32(m.Start), Length: proto.Uint32(m.Length),
			AssociatedValue: &servicepb.BodyRange_MentionAciBinary{MentionAciBinary: m.ACI.Binary()},
		})
	}
	for _, s := range styles {
		out = append(out, &servicepb.BodyRange{
			Start: proto.Uint32(s.Start), Length: proto.Uint32(s.Length),
			AssociatedValue: &servicepb.BodyRange_Style_{Style: styleValues[s.Style]},
		})
	}
	return out
}

// Body is a text made ready to travel.
type Body struct {
	// Text goes into Message.Text.
	Text string
	// Long is the whole text where Text is only its beginning: to be uploaded as an attachment of type LongTextType,
	// whose pointer goes into Message.LongText. Nil for a text that is short enough.
	Long     []byte
	Mentions []Mention
	Styles   []Style
}

// PrepareBody checks text and ranges, puts the apps' placeholder where a mention stands, moves the ranges behind it
// accordingly, and splits a text that is too long for the message itself. Errors are *InputError or ErrTextTooLong.
func PrepareBody(text string, mentions []Mention, styles []Style) (Body, error) {
	if cleanText(text) != text {
		return Body{}, badInput("message", "not valid UTF-8")
	}
	units := utf16.Encode([]rune(text))
	mentions = slices.Clone(mentions)
	slices.SortStableFunc(mentions, func(a, b Mention) int { return cmp.Compare(a.Start, b.Start) })
	if err := checkRanges(units, mentions, styles); err != nil {
		return Body{}, err
	}
	out, moved := placeMentions(units, mentions)
	body := Body{Text: string(utf16.Decode(out)), Mentions: moved}
	for _, s := range styles {
		start, end := shift(s.Start, mentions, false), shift(s.Start+s.Length, mentions, true)
		body.Styles = append(body.Styles, Style{start, end - start, s.Style})
	}
	if len(body.Text) > MaxTextBytes {
		return Body{}, ErrTextTooLong
	}
	if len(body.Text) > InlineTextBytes {
		body.Long = []byte(body.Text)
		body.Text = clip(body.Text, InlineTextBytes)
	}
	return body, nil
}

func checkRanges(units []uint16, mentions []Mention, styles []Style) error {
	if len(mentions)+len(styles) > maxRanges {
		return badInput("textStyles", "more than %d mentions and styles", maxRanges)
	}
	end := uint64(0)
	for i, m := range mentions {
		if reason := checkRange(units, m.Start, m.Length); reason != "" {
			return badInput("mentions", "%s", reason)
		}
		if i > 0 && uint64(m.Start) < end {
			return badInput("mentions", "two of them overlap")
		}
		if m.ACI.IsZero() {
			return badInput("mentions", "no account")
		}
		end = uint64(m.Start) + uint64(m.Length)
	}
	for _, s := range styles {
		if reason := checkRange(units, s.Start, s.Length); reason != "" {
			return badInput("textStyles", "%s", reason)
		}
		if !s.Style.Known() {
			return badInput("textStyles", "there is no style %q", s.Style)
		}
	}
	return nil
}

func checkRange(units []uint16, start, length uint32) string {
	end := uint64(start) + uint64(length)
	switch {
	case length == 0:
		return "a range of length 0"
	case end > uint64(len(units)):
		return "a range beyond the end of the text"
	case splitsCharacter(units, uint64(start)) || splitsCharacter(units, end):
		return "a range that cuts a character in two"
	}
	return ""
}

func splitsCharacter(units []uint16, at uint64) bool {
	return at > 0 && at < uint64(len(units)) && utf16.IsSurrogate(rune(units[at])) &&
		utf16.DecodeRune(rune(units[at-1]), rune(units[at])) != '\uFFFD'
}

// placeMentions puts one placeholder in the place of each mention, sorted by start.
func placeMentions(units []uint16, mentions []Mention) ([]uint16, []Mention) {
	if len(mentions) == 0 {
		return units, nil
	}
	out := make([]uint16, 0, len(units))
	moved := make([]Mention, 0, len(mentions))
	next := uint32(0)
	for _, m := range mentions {
		out = append(out, units[next:m.Start]...)
		moved = append(moved, Mention{Start: uint32(len(out)), Length: 1, ACI: m.ACI})
		out = append(out, placeholder)
		next = m.Start + m.Length
	}
	return append(out, units[next:]...), moved
}

// shift returns where a position comes to be. Inside a mention it goes to its start, or to its end where a range ends.
func shift(at uint32, mentions []Mention, isEnd bool) uint32 {
	saved := uint32(0)
	for _, m := range mentions {
		switch end := m.Start + m.Length; {
		case at >= end:
			saved += m.Length - 1
		case at > m.Start:
			at = m.Start
			if isEnd {
				at++
			}
			return at - saved
		}
	}
	return at - saved
}
