package main

import (
	"context"
	"slices"

	"github.com/jessevdk/go-flags"
	"github.com/rs/zerolog"

	"signalbox/cli/completion"
	"signalbox/cli/manual"
)

// commandLine is what was asked for: a command, and the settings from wherever they came.
type commandLine struct {
	command   command
	arguments []string
	opts      options
	own       commandOptions
	settings  []setting
	program   manual.Program
}

// command is one of the program's commands. The help, the manual page and the completion come from this table.
type command struct {
	name, arguments, summary string
	about, examples          []string
	groups                   []string // of options that matter most to it, by title
	options                  any      // its own, for go-flags
	minArguments             int
	maxArguments             int
	values                   []string // that its argument can have
	daemon                   bool     // it logs what ends it
	anySettings              bool     // it runs whatever the settings say
	run                      func(context.Context, *commandLine, zerolog.Logger) error
}

// commandOptions are those of the commands alone.
type commandOptions struct {
	link   linkOptions
	status statusOptions
	call   callOptions
	config configOptions
}

const (
	commandServe      = "serve"
	commandSocket     = "socket"
	commandLink       = "link"
	commandStatus     = "status"
	commandCall       = "call"
	commandConfig     = "config"
	commandMan        = "man"
	commandCompletion = "completion"
	commandHelp       = "help"
)

func commandTable(own *commandOptions) []command {
	table := append(ownCommands(own), command{
		name: commandHelp, arguments: "[COMMAND]", summary: "print this help, or that of a command",
		maxArguments: 1, anySettings: true,
	})
	for _, c := range table {
		table[len(table)-1].values = append(table[len(table)-1].values, c.name)
	}
	return table
}

// ownCommands are those that do something.
func ownCommands(own *commandOptions) []command {
	everywhere := []string{groupOptions, groupListening, groupLimits, groupStorage, groupLogging, groupSandbox}
	return []command{
		{
			name: commandServe, summary: "connect to Signal and serve the command socket (the default)", daemon: true,
			about: []string{"Without an account it serves all the same, and answers NOT_LINKED: link one with " +
				"signalbox link, or over the socket with start_link and finish_link."},
			groups: everywhere, run: runServe,
		},
		{
			name: commandSocket, summary: "the same as serve", daemon: true,
			about: []string{"The name that signal-cli's socket mode has."}, run: runServe,
		},
		{
			name: commandLink, summary: "link to an account as one of its devices", options: &own.link,
			about: []string{"Prints the link for the account's phone to scan: as text on stdout, and on a terminal as a " +
				"QR code. It exits once linked. The daemon must not run meanwhile."},
			groups: []string{groupOptions, groupStorage, groupLogging}, run: runLink,
		},
		{
			name: commandStatus, summary: "tell how a running daemon is doing", options: &own.status,
			groups: []string{groupListening, groupCalling}, run: runStatus,
		},
		{
			name: commandCall, arguments: "[REQUEST|-]", summary: "send requests to a running daemon, print the replies",
			about: []string{"REQUEST is a command of the socket: one JSON object. Without it, or for \"-\", requests are " +
				"read from stdin, one after the other. It connects to where the options say that the daemon listens, to a " +
				"unix socket first, and presents the token. The exit code is 0 if all replies have statusCode 0, else 1."},
			examples: []string{`signalbox call '{"command":"receive_messages"}'`, "signalbox call <requests.json"},
			options:  &own.call, maxArguments: 1, groups: []string{groupListening, groupCalling}, run: runCall,
		},
		{
			name: commandConfig, summary: "print the effective settings, and where each comes from", options: &own.config,
			about: []string{"The output can serve as a file for --config."}, anySettings: true, run: runConfig,
		},
		{
			name: commandMan, summary: "print the manual page", examples: []string{"signalbox man | man -l -"},
			anySettings: true, run: runMan,
		},
		{
			name: commandCompletion, arguments: "SHELL", summary: "print a completion script for bash, zsh or fish",
			examples: []string{"source <(signalbox completion bash)", "source <(signalbox completion zsh)",
				"signalbox completion fish | source"},
			minArguments: 1, maxArguments: 1, values: completion.Shells(), anySettings: true, run: runCompletion,
		},
	}
}

// parse reads the command line, the environment and the configuration file.
func parse(arguments []string) (*commandLine, error) {
	line := &commandLine{}
	line.opts.Version = printVersion
	commands := commandTable(&line.own)
	parser := newParser(&line.opts, commands)
	line.program = describe(parser, commands)
	line.settings = settable(parser)
	rest, err := parser.ParseArgs(arguments)
	active := parser.Active
	if err != nil {
		return nil, line.wrong(err, parser)
	}
	if active == nil && len(rest) > 0 {
		return nil, usagef("there is no command %q; --help lists those that there are", rest[0])
	}
	line.command, line.arguments = commands[0], rest
	for _, c := range commands {
		if active != nil && active.Name == c.name {
			line.command = c
		}
	}
	if err := line.checkArguments(); err != nil {
		return nil, err
	}
	if line.command.name == commandHelp {
		return nil, line.help()
	}
	return line, line.settle()
}

// settle takes what the environment and the file say.
func (l *commandLine) settle() (err error) {
	if err := settle(l.settings, l.opts.Config); err != nil {
		return err
	}
	if l.opts.dirNamed = l.opts.DataDir != ""; !l.opts.dirNamed {
		if l.opts.DataDir, err = defaultDataDir(); err != nil && !l.command.anySettings {
			return err
		}
	}
	if l.command.anySettings {
		return nil
	}
	return l.check()
}

// check finds settings that do not go together.
func (l *commandLine) check() error {
	if err := l.opts.Sandbox.check(l.command.name, l.named("service")); err != nil {
		return err
	}
	return l.opts.check()
}

// named tells whether an option has been set, by whatever means.
func (l *commandLine) named(option string) bool {
	return slices.ContainsFunc(l.settings, func(s setting) bool {
		return s.option.LongName == option && s.origin.Kind != fromDefault
	})
}

func (l *commandLine) checkArguments() error {
	c := l.command
	switch {
	case len(l.arguments) > c.maxArguments:
		return usagef("%s takes no argument %q", c.name, l.arguments[c.maxArguments])
	case len(l.arguments) < c.minArguments:
		return usagef("%s wants an argument: %s", c.name, c.arguments)
	}
	return nil
}

func newParser(opts *options, commands []command) *flags.Parser {
	parser := flags.NewNamedParser("signalbox", flags.HelpFlag|flags.PassDoubleDash)
	parser.SubcommandsOptional = true
	mustAdd := func(_ any, err error) {
		if err != nil {
			panic(err) // the tags are wrong: a programming error that every run would show
		}
	}
	mustAdd(parser.AddGroup(groupOptions, "", opts))
	for _, c := range commands {
		own := c.options
		if own == nil {
			own = &struct{}{}
		}
		mustAdd(parser.AddCommand(c.name, c.summary, "", own))
	}
	return parser
}
