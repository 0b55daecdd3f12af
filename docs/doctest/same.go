package doctest

import (
	"regexp"
	"strings"
)

// volatile is what differs from one run to the next, and what stands for it in a comparison.
var volatile = []struct {
	pattern *regexp.Regexp
	kind    string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`"id":"[0-9a-f]+"`), `"id":"ID"`},
	{regexp.MustCompile(`\b(account|by)=[0-9a-f]{8}\b`), "$1=SHORT"},
	{regexp.MustCompile(`\bgroup=[A-Za-z0-9+/]{8}(\s)`), "group=SHORT$1"},
	{regexp.MustCompile(`sgnl://\S+`), "sgnl://LINK"},
	{regexp.MustCompile(`signal\.group/#[A-Za-z0-9_-]+`), "signal.group/#LINK"},
	{regexp.MustCompile(`\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)`), "TIME"},
	{regexp.MustCompile(`\b[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?([AP]M)?\b`), "TIME"},
	{regexp.MustCompile(`\b[0-9]{13}\b`), "MILLISECONDS"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{43}=`), "KEY"},
	{regexp.MustCompile(`\b(127\.0\.0\.1|localhost):[0-9]+`), "$1:PORT"},
}

// Normalise puts the kind of a thing in place of each that differs from one run to the next.
func Normalise(text string) string {
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.kind)
	}
	return text
}

// Same tells whether an output is what a document shows.
func Same(shown, got string) bool { return Normalise(shown) == Normalise(got) }

// Missing returns the first line of a document's output that is not in another output, or nothing. It is for what a
// daemon prints, which goes on for as long as it runs.
func Missing(shown, got string) string {
	lines := map[string]bool{}
	for line := range strings.Lines(Normalise(got)) {
		lines[strings.TrimSpace(line)] = true
	}
	for line := range strings.Lines(shown) {
		if !lines[strings.TrimSpace(Normalise(line))] {
			return line
		}
	}
	return ""
}
