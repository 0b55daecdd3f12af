package compose

import (
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

const (
	joiner     = '\u200D'
	emojiStyle = '\uFE0F'
	keycap     = '\u20E3'
	// pictograph is any character that is Extended_Pictographic.
	pictograph = '\u00A9'

	maxEmojiBytes = 64
)

// IsEmoji reports whether a text is one emoji, of whatever number of characters: what Unicode Technical Standard #51
// calls an emoji, its modifier and ZWJ sequences, a flag or a keycap.
func IsEmoji(s string) bool {
	if len(s) == 0 || len(s) > maxEmojiBytes || !utf8.ValidString(s) || uniseg.GraphemeClusterCount(s) != 1 {
		return false
	}
	runes := []rune(s)
	switch first := runes[0]; {
	case isRegional(first):
		return len(runes) == 2 && isRegional(runes[1])
	case first == '#' || first == '*' || first >= '0' && first <= '9':
		return string(runes[1:]) == string([]rune{emojiStyle, keycap}) || string(runes[1:]) == string(keycap)
	case !isPictograph(first):
		return false
	}
	for i, r := range runes[1:] {
		switch {
		case r == joiner:
			if i+2 == len(runes) {
				return false // nothing follows
			}
		case r == emojiStyle, isSkinTone(r), isTag(r):
		case !isPictograph(r) || runes[i] != joiner:
			return false
		}
	}
	return true
}

// isPictograph asks the segmentation rules, which join two pictographs over a joiner, and nothing else (UAX #29, GB11).
func isPictograph(r rune) bool {
	return isSkinTone(r) || uniseg.GraphemeClusterCount(string([]rune{r, joiner, pictograph})) == 1
}

func isRegional(r rune) bool { return r >= 0x1F1E6 && r <= 0x1F1FF }
func isSkinTone(r rune) bool { return r >= 0x1F3FB && r <= 0x1F3FF }
func isTag(r rune) bool      { return r >= 0xE0020 && r <= 0xE007F }
