package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jessevdk/go-flags"
	"github.com/rs/zerolog"
	"golang.org/x/term"

	"signalbox/cli/completion"
	"signalbox/cli/manual"
)

// describe is the command line for people: what the options' tags and the table of commands say, and some prose.
func describe(parser *flags.Parser, commands []command) manual.Program {
	p := manual.Program{
		Name:    "signalbox",
		Summary: "signalbox puts one Signal account behind a TCP command socket",
		About: []string{
			"signalbox is a Signal client without a screen, for programs: it is linked to an account like a desktop app, " +
				"and takes commands, one JSON object each, on a socket: TCP on localhost by default.",
			"Messages that come in are kept on disk until a program has taken them with receive_messages.",
		},
		Sections: sections(),
	}
	for _, group := range optionGroups(parser) {
		p.Groups = append(p.Groups, manual.Group{Title: group.ShortDescription, Options: explain(group.Options())})
	}
	own := map[string][]manual.Option{}
	for _, command := range parser.Commands() {
		own[command.Name] = explain(command.Options())
	}
	for _, c := range commands {
		p.Commands = append(p.Commands, manual.Command{
			Name: c.name, Arguments: c.arguments, Summary: c.summary, About: c.about, Examples: c.examples,
			Groups: c.groups, Values: c.values, Options: own[c.name],
		})
	}
	return p
}

func sections() []manual.Section {
	return []manual.Section{
		{Title: "A first session", Paragraphs: []string{
			"signalbox --sandbox   to try it without an account; or, with one:",
			"signalbox link",
			"signalbox &",
			`echo '{"command":"receive_messages"}' | nc -N localhost 6789`,
		}},
		{Title: "Settings", Paragraphs: []string{
			"Each option can also be set in the environment (--data-dir is SIGNALBOX_DATA_DIR) and in the INI file that " +
				"--config names (data-dir = /var/lib/signalbox). The command line wins over the environment, and that over " +
				"the file. signalbox config prints what holds, and why. Colours are left out where NO_COLOR is set.",
		}},
		{Title: "Exit codes", Paragraphs: []string{
			"0 success, 1 failure, 2 a crash, 3 unlinked by the service, 64 wrong usage.",
		}},
	}
}

func explain(options []*flags.Option) []manual.Option {
	explained := make([]manual.Option, 0, len(options))
	for _, option := range options {
		o := manual.Option{
			Long: option.LongName, Value: option.ValueName, Choices: option.Choices, Description: option.Description,
			Environment: option.EnvDefaultKey,
		}
		if option.ShortName != 0 {
			o.Short = string(option.ShortName)
		}
		if len(option.Default) > 0 {
			o.Default = option.Default[0]
		}
		explained = append(explained, o)
	}
	return explained
}

// helpWidth is the terminal's; 0 where there is none.
func helpWidth() int {
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// runMan prints the manual page. A build that does not know its date has today's.
func runMan(_ context.Context, line *commandLine, _ zerolog.Logger) error {
	b := build()
	if b.Built.IsZero() {
		b.Built = time.Now()
	}
	_, err := fmt.Print(line.program.Page(manual.Edition{Version: b.Version, Date: b.Built}))
	return err
}

func runCompletion(_ context.Context, line *commandLine, _ zerolog.Logger) error {
	script, err := completion.Script(line.program, line.arguments[0])
	if err != nil {
		return &usageError{err}
	}
	_, err = fmt.Print(script)
	return err
}
