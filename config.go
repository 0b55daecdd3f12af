package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/rs/zerolog"

	"signalbox/cli/inifile"
)

// configOptions are those of the config command alone.
type configOptions struct {
	JSON bool `long:"json" description:"print JSON: for each setting its value and origin"`
}

// runConfig prints the effective settings. They hold no secrets, only names of files that do.
func runConfig(_ context.Context, line *commandLine, _ zerolog.Logger) error {
	text := configINI(line)
	if line.own.config.JSON {
		encoded, err := configJSON(line)
		if err != nil {
			return err
		}
		text = encoded
	}
	if _, err := fmt.Print(text); err != nil {
		return err
	}
	return line.check()
}

// effective is a setting's value; the directory's default depends on where one is.
func (l *commandLine) effective(s setting) any {
	if s.option.LongName == "data-dir" {
		return l.opts.DataDir
	}
	return s.option.Value()
}

// configINI has the form that --config reads, with the origins as comments.
func configINI(line *commandLine) string {
	var text strings.Builder
	file := "none"
	if line.opts.Config != "" {
		file = line.opts.Config
	}
	fmt.Fprintf(&text, "# The effective settings of signalbox. Config file: %s\n", oneLine(file))
	settings := make([]string, len(line.settings))
	widest := 0
	for i, s := range line.settings {
		settings[i] = strings.TrimSpace(fmt.Sprintf("%-17s = %s", s.option.LongName,
			inifile.Quote(fmt.Sprint(line.effective(s)))))
		widest = max(widest, min(utf8.RuneCountInString(settings[i]), 50))
	}
	group := ""
	for i, s := range line.settings {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&text, "\n[%s]\n", group)
		}
		padding := strings.Repeat(" ", max(0, widest-utf8.RuneCountInString(settings[i])))
		fmt.Fprintf(&text, "%s%s  # %s\n", settings[i], padding, oneLine(s.origin.String()))
	}
	return text.String()
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// configJSON is one object: the settings by name.
func configJSON(line *commandLine) (string, error) {
	type entry struct {
		Value any `json:"value"`
		origin
	}
	entries := map[string]entry{}
	for _, s := range line.settings {
		value := line.effective(s)
		if text, ok := value.(fmt.Stringer); ok {
			value = text.String()
		}
		entries[s.option.LongName] = entry{value, s.origin}
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(entries)
	return text.String(), err
}
