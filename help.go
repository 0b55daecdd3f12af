package main

import (
	"fmt"
	"strings"

	"github.com/jessevdk/go-flags"
)

const helpHead = `signalbox puts one Signal account behind a TCP command socket.

Usage: signalbox [options] [command]

Commands:
  serve      connect to Signal and serve the command socket (the default; "socket" is the same)
  link       link to an account: prints the link that its phone scans, exits once linked

A first session: signalbox link; signalbox &; echo "{command:'receive_messages'}" | nc -N localhost 6789
`

const helpFoot = `
Each option is also read from the environment (--data-dir is SIGNALBOX_DATA_DIR) and from the INI file that --config
names (data-dir = /var/lib/signalbox). The command line wins over the environment, and that over the file.

Exit codes: 0 success, 1 failure, 2 wrong usage, 3 unlinked by the service.
`

// help is the text for --help. That of go-flags puts two thirds of every line into the left margin.
func help(parser *flags.Parser) string {
	var text strings.Builder
	text.WriteString(helpHead)
	for _, group := range parser.Groups() {
		writeGroup(&text, group)
	}
	for _, command := range parser.Commands() {
		if len(command.Options()) > 0 {
			writeOptions(&text, "Options of "+command.Name, command.Options())
		}
	}
	text.WriteString(helpFoot)
	return text.String()
}

func writeGroup(text *strings.Builder, group *flags.Group) {
	if len(group.Options()) > 0 {
		writeOptions(text, group.ShortDescription, group.Options())
	}
	for _, inner := range group.Groups() {
		writeGroup(text, inner)
	}
}

func writeOptions(text *strings.Builder, title string, options []*flags.Option) {
	fmt.Fprintf(text, "\n%s:\n", title)
	for _, option := range options {
		short := "    "
		if option.ShortName != 0 {
			short = "-" + string(option.ShortName) + ", "
		}
		name := "--" + option.LongName + " " + option.ValueName
		fmt.Fprintf(text, "  %s%-28s %s%s\n", short, name, option.Description, extent(option))
	}
}

// extent says which values an option takes, and which it has when nobody sets it.
func extent(option *flags.Option) string {
	var parts []string
	if len(option.Choices) > 0 {
		parts = append(parts, strings.Join(option.Choices, ", "))
	}
	if len(option.Default) > 0 && option.Default[0] != "0" {
		parts = append(parts, "default "+option.Default[0])
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}
