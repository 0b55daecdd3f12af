package content

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestPrepareBody(t *testing.T) {
	long := strings.Repeat("ä", 1500)
	for name, c := range map[string]struct {
		text     string
		mentions []Mention
		styles   []Style
		want     Body
	}{
		"plain": {text: "hello", want: Body{Text: "hello"}},
		"a mention takes the place of its text": {
			text: "hi @bob and @al!", mentions: []Mention{{12, 3, alice}, {3, 4, bob}},
			styles: []Style{{0, 2, Bold}, {3, 4, Italic}, {8, 3, Bold}, {4, 9, Spoiler}, {15, 1, Bold}, {0, 16, Monospace}},
			want: Body{
				Text: "hi \uFFFC and \uFFFC!", Mentions: []Mention{{3, 1, bob}, {9, 1, alice}},
				Styles: []Style{{0, 2, Bold}, {3, 1, Italic}, {5, 3, Bold}, {3, 7, Spoiler}, {10, 1, Bold}, {0, 11, Monospace}},
			},
		},
		"positions count in UTF-16 units": {
			text: "😀X😀", mentions: []Mention{{2, 1, bob}}, styles: []Style{{3, 2, Bold}},
			want: Body{Text: "😀\uFFFC😀", Mentions: []Mention{{2, 1, bob}}, Styles: []Style{{3, 2, Bold}}},
		},
		"a long text travels beside": {
			text: long, styles: []Style{{1400, 100, Bold}},
			want: Body{Text: long[:2000], Long: []byte(long), Styles: []Style{{1400, 100, Bold}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := PrepareBody(c.text, c.mentions, c.styles)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestPrepareBodyRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text     string
		mentions []Mention
		styles   []Style
		field    string
	}{
		"bad UTF-8":              {text: "\xff", field: "message"},
		"beyond the end":         {text: "ab", mentions: []Mention{{1, 2, bob}}, field: "mentions"},
		"far beyond the end":     {text: "ab", mentions: []Mention{{1 << 31, 1 << 31, bob}}, field: "mentions"},
		"length 0":               {text: "ab", mentions: []Mention{{1, 0, bob}}, field: "mentions"},
		"nobody":                 {text: "ab", mentions: []Mention{{1, 1, Mention{}.ACI}}, field: "mentions"},
		"overlap":                {text: "abc", mentions: []Mention{{0, 2, bob}, {1, 2, alice}}, field: "mentions"},
		"half a character":       {text: "😀", styles: []Style{{0, 1, Bold}}, field: "textStyles"},
		"other half":             {text: "😀x", styles: []Style{{1, 2, Bold}}, field: "textStyles"},
		"a style of nobody":      {text: "ab", styles: []Style{{0, 1, "blinking"}}, field: "textStyles"},
		"more than anyone reads": {text: "ab", styles: make([]Style, maxRanges+1), field: "textStyles"},
	} {
		_, err := PrepareBody(c.text, c.mentions, c.styles)
		var input *InputError
		require.ErrorAs(t, err, &input, name)
		require.Equal(t, c.field, input.Field, name)
	}
	_, err := PrepareBody(strings.Repeat("x", MaxTextBytes+1), nil, nil)
	require.ErrorIs(t, err, ErrTextTooLong)
}

func TestClipKeepsCharactersWhole(t *testing.T) {
	for limit := range 12 {
		got := clip("aä€😀b", limit)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), limit)
	}
	require.Equal(t, "aä€😀b", clip("aä€😀b", 11))
}

func TestCleanTextKeepsPositions(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      "plain",
		"a\xed\xa0\xbdb":             "a\uFFFDb",
		"\xff\xfe":                   "\uFFFD\uFFFD",
		"\xed\xa0":                   "\uFFFD\uFFFD",
		"\xed\xa0\xbd\xed\xb8\x80ok": "\uFFFD\uFFFDok",
	} {
		require.Equal(t, want, cleanText(in))
	}
}

func TestCleanFileName(t *testing.T) {
	for in, want := range map[string]string{
		"photo.jpg": "photo.jpg", "/etc/passwd": "passwd", `C:\x\y.txt`: "y.txt", "..": "", "a/..": "", "x/": "",
		"gpj\u202etxt.exe": "gpjtxt.exe", "a\nb\x00": "ab", strings.Repeat("ä", 300): strings.Repeat("ä", 255),
	} {
		require.Equal(t, want, cleanFileName(in))
	}
}

func FuzzPrepareBody(f *testing.F) {
	f.Add("hi @bob 😀", uint32(3), uint32(4), uint32(0), uint32(9))
	f.Fuzz(func(t *testing.T, text string, ms, ml, ss, sl uint32) {
		body, err := PrepareBody(text, []Mention{{ms, ml, bob}}, []Style{{ss, sl, Bold}})
		if err != nil {
			return
		}
		whole := body.Text
		if body.Long != nil {
			whole = string(body.Long)
			require.True(t, strings.HasPrefix(whole, body.Text))
		}
		require.True(t, utf8.ValidString(body.Text))
		require.LessOrEqual(t, len(body.Text), InlineTextBytes)
		p := &parser{}
		mentions, styles := p.ranges(buildRanges(body.Mentions, body.Styles), utf16Len(whole))
		require.Equal(t, body.Mentions, mentions)
		if len(body.Styles) > 0 && body.Styles[0].Length > 0 {
			require.Equal(t, body.Styles, styles)
		}
	})
}
