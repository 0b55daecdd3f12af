package manual

import (
	"os/exec"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"signalbox/interop/needs"
)

func example() Program {
	return Program{
		Name: "example", Summary: "example shows how it is done", About: []string{"First.", ".Second 'quoted' \\ ~^`\"."},
		Groups: []Group{{"Options", []Option{
			{Short: "p", Long: "port", Value: "PORT", Default: "6789", Environment: "EXAMPLE_PORT", Description: "the port"},
			{Long: "a-very-long-name-of-an-option", Value: "live|staging|FILE", Description: strings.Repeat("words ", 40)},
			{Long: "level", Value: "LEVEL", Choices: []string{"high", "low"}, Description: "how much", Default: "low"},
		}}, {"Other", []Option{{Long: "other", Description: "nothing"}}}},
		Commands: []Command{
			{Name: "serve", Summary: "serve it", Groups: []string{"Options"}},
			{Name: "call", Arguments: "[REQUEST]", Summary: "ask it", About: []string{"At length."},
				Examples: []string{`example call '{"a":1}'`}, Options: []Option{{Long: "json", Description: "as JSON"}}},
		},
		Sections: []Section{{"Exit codes", []string{"0 success", "1 failure"}}},
	}
}

func TestHelpIsWrapped(t *testing.T) {
	for _, width := range []int{0, 10, 72, 200} {
		for _, text := range []string{example().Help(width), example().CommandHelp(example().Commands[0], width)} {
			for _, line := range strings.Split(text, "\n") {
				require.LessOrEqual(t, utf8.RuneCountInString(line), clamp(width), "%q", line)
				require.Equal(t, strings.TrimRight(line, " "), line)
			}
		}
	}
	help := example().Help(0)
	require.Contains(t, help, "  -p, --port PORT               the port (default: 6789)\n")
	require.Contains(t, help, "      --level LEVEL             how much (high, low; default: low)\n")
	require.Contains(t, help, "      --a-very-long-name-of-an-option live|staging|FILE\n"+strings.Repeat(" ", 32)+"words words")
	require.Contains(t, help, "Exit codes:\n  0 success\n  1 failure\n")
	require.NotContains(t, help, "\n\n\n")
}

func TestCommandHelp(t *testing.T) {
	call, found := example().Command("call")
	require.True(t, found)
	help := example().CommandHelp(call, 0)
	require.Contains(t, help, "Usage: example [options] call [REQUEST]\n\nAt length.\n\nExamples:\n")
	require.Contains(t, help, "--json")
	require.NotContains(t, help, "--other")
	serve, _ := example().Command("serve")
	require.Contains(t, example().CommandHelp(serve, 0), "--port PORT")
	_, found = example().Command("none")
	require.False(t, found)
}

func TestValues(t *testing.T) {
	options := example().Groups[0].Options
	require.Equal(t, []string{"live", "staging"}, options[1].Words())
	require.True(t, options[1].TakesFile())
	require.False(t, options[1].TakesDirectory())
	require.True(t, Option{Value: "DIR"}.TakesDirectory())
	require.Equal(t, []string{"high", "low"}, options[2].Words())
	require.Empty(t, options[0].Words())
	require.False(t, options[0].TakesFile())
}

// TestPage has the tools that people read manual pages with judge one.
func TestPage(t *testing.T) {
	page := example().Page(Edition{"1.0", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)})
	require.Contains(t, page, ".TH EXAMPLE 1 2026-01-02 \"example 1.0\"\n")
	require.Contains(t, page, "\\&.Second \\(aqquoted\\(aq \\(rs \\(ti\\(ha\\(ga\\(dq.\n")
	for _, tool := range [][]string{{"groff", "-man", "-ww", "-z", "-Tutf8"}, {"mandoc", "-Tlint"}} {
		t.Run(tool[0], func(t *testing.T) {
			needs.Programs(t, tool[0])
			lint := exec.CommandContext(t.Context(), tool[0], tool[1:]...)
			lint.Stdin = strings.NewReader(page)
			said, err := lint.CombinedOutput()
			require.NoError(t, err, "%s", said)
			require.Empty(t, string(said))
		})
	}
}
