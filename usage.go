package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jessevdk/go-flags"
)

// usageError is what is wrong with the command line, the environment or a file that they name.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, arguments ...any) error {
	return &usageError{fmt.Errorf(format, arguments...)}
}

// helpRequest is --help, or the command help: its text is the help.
type helpRequest struct{ text string }

func (h *helpRequest) Error() string { return h.text }

// help is what the command help prints.
func (l *commandLine) help() error {
	if len(l.arguments) == 0 {
		return l.helpOn("")
	}
	name := l.arguments[0]
	if _, found := l.program.Command(name); !found {
		return usagef("there is no command %q; --help lists those that there are", name)
	}
	return l.helpOn(name)
}

// helpOn is the help of a command; of the program, where it has no name.
func (l *commandLine) helpOn(name string) error {
	if c, found := l.program.Command(name); found {
		return &helpRequest{l.program.CommandHelp(c, helpWidth())}
	}
	return &helpRequest{l.program.Help(helpWidth())}
}

// wrong explains an error of go-flags; --help is one of them.
func (l *commandLine) wrong(err error, parser *flags.Parser) error {
	var flagsError *flags.Error
	if !errors.As(err, &flagsError) {
		return &usageError{err}
	}
	switch flagsError.Type {
	case flags.ErrHelp:
		if parser.Active != nil {
			return l.helpOn(parser.Active.Name)
		}
		return l.helpOn("")
	case flags.ErrUnknownFlag:
		return usagef("%w; %s", err, l.whereIs(flagsError))
	case flags.ErrMarshal:
		return l.wrongValue(flagsError, parser)
	}
	return &usageError{err}
}

// whereIs says where an option belongs that does not stand there: a command's own come behind the command.
func (l *commandLine) whereIs(unknown *flags.Error) string {
	var homes []string
	for _, c := range l.program.Commands {
		for _, o := range c.Options {
			if unknown.Message == fmt.Sprintf("unknown flag `%s'", o.Long) {
				homes = append(homes, c.Name)
			}
		}
	}
	if len(homes) == 0 {
		return "--help lists those that there are"
	}
	return "it belongs behind the command " + strings.Join(homes, " or ")
}

// wrongValue says what an option takes. Of the option, go-flags' error has no more than its names in the text.
func (l *commandLine) wrongValue(wrong *flags.Error, parser *flags.Parser) error {
	var options []*flags.Option
	for _, group := range optionGroups(parser) {
		options = append(options, group.Options()...)
	}
	for _, command := range parser.Commands() {
		options = append(options, command.Options()...)
	}
	for _, option := range options {
		if strings.Contains(wrong.Message, fmt.Sprintf("flag `%s' ", option)) {
			return usagef("--%s takes %s", option.LongName, kindOf(option))
		}
	}
	return &usageError{wrong}
}

// kindOf says what values an option takes that is neither a text nor one of a few words.
func kindOf(option *flags.Option) string {
	switch option.Value().(type) {
	case time.Duration:
		return "a time with its unit, such as 90s, 5m or 2h"
	case bool:
		return "true or false"
	}
	return "a whole number"
}
