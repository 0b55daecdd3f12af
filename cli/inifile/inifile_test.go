package inifile

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	settings, err := Parse(strings.NewReader(`# a comment
; another
[Listening]   # a heading

port = 0      # any
 unix-socket=/run/signal box/s;1#2
token-file = " #1 \"x\" "  ; quoted
username =
`))
	require.NoError(t, err)
	require.Equal(t, []Setting{
		{"port", "0", 5}, {"unix-socket", "/run/signal box/s;1#2", 6}, {"token-file", ` #1 "x" `, 7}, {"username", "", 8},
	}, settings)
}

func TestSyntaxErrors(t *testing.T) {
	for text, problem := range map[string]string{
		"port":                             "line 1: expected name = value",
		"\n= 1":                            "line 2: expected name = value",
		"[Listening":                       "line 1: a heading is [text]",
		"[Listening] port = 1":             "line 1: a heading is [text]",
		`data-dir = "/var`:                 "line 1: the value has no closing quote, or an escape that does not exist",
		`data-dir = "/var" /lib`:           "line 1: there is something after the quoted value",
		strings.Repeat("\n", 1<<20) + "\n": "line 1048577: the file is too large",
	} {
		_, err := Parse(strings.NewReader(text))
		require.EqualError(t, err, problem)
	}
	_, err := Parse(strings.NewReader("a = " + strings.Repeat("x", 1<<20)))
	require.Error(t, err)
}

// FuzzParse: nothing breaks it, and what it has read is written so that it reads the same again.
func FuzzParse(f *testing.F) {
	f.Add("port = 1 # x\n[h]\nname = \"a\\nb\"\n")
	f.Add("a=\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := Parse(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, s := range settings {
			if !utf8.ValidString(s.Value) {
				continue
			}
			again, err := Parse(strings.NewReader("name = " + Quote(s.Value) + "  # origin"))
			require.NoError(t, err)
			require.Equal(t, []Setting{{"name", s.Value, 1}}, again)
		}
	})
}
