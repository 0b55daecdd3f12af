package content

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	// InlineTextBytes is how much of a text travels inside the message.
	InlineTextBytes = 2000
	// MaxTextBytes is how long a text may be that travels as an attachment (Signal-Desktop ts/util/longAttachment).
	MaxTextBytes = 64 << 10
	// LongTextType is the content type of that attachment, which holds the whole text.
	LongTextType = "text/x-signal-plain"

	maxFileNameRunes = 255
)

// cleanText makes text from outside valid UTF-8 without moving what follows: each wrong byte becomes one U+FFFD, and so
// does a surrogate that JavaScript wrote on its own, so that ranges, counted in UTF-16 units, stay right.
func cleanText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 && isLoneSurrogate(s[i:]) {
			size = 3
		}
		out.WriteRune(r)
		i += size
	}
	return out.String()
}

func isLoneSurrogate(s string) bool {
	return len(s) >= 3 && s[0] == 0xED && s[1] >= 0xA0 && s[1] <= 0xBF && s[2] >= 0x80 && s[2] <= 0xBF
}

// cleanFileName keeps the last element of a path, without control or direction characters: a contact chooses it, and
// a script may write to it.
func cleanFileName(s string) string {
	s = cleanText(s)
	if i := strings.LastIndexAny(s, `/\`); i >= 0 {
		s = s[i+1:]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, s)
	if s == "." || s == ".." {
		return ""
	}
	if runes := []rune(s); len(runes) > maxFileNameRunes {
		s = string(runes[:maxFileNameRunes])
	}
	return s
}

// cleanContentType refuses what is no media type.
func cleanContentType(s string) string {
	if len(s) > 127 || strings.Count(s, "/") != 1 {
		return defaultContentType
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return defaultContentType
		}
	}
	return s
}

// utf16Len returns the length of s in UTF-16 units, in which ranges are counted.
func utf16Len(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

// clip returns at most limit bytes of s, cut between characters.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
