package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/jessevdk/go-flags"

	"signalbox/cli/inifile"
)

// origin says where the value of a setting comes from.
type origin struct {
	Kind        string `json:"origin"` // one of the constants below
	Environment string `json:"environment,omitempty"`
	File        string `json:"file,omitempty"`
	Line        int    `json:"line,omitempty"`
}

const (
	fromOption      = "option"
	fromEnvironment = "environment"
	fromFile        = "file"
	fromDefault     = "default"
)

func (o origin) String() string {
	switch o.Kind {
	case fromEnvironment:
		return o.Environment
	case fromFile:
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return o.Kind
}

// setting is an option that also a file can set, with where its value comes from.
type setting struct {
	option      *flags.Option
	group       string
	environment string
	origin      origin
}

// settle gives the options that the command line has not set the values of the environment, or else of the file, and says
// of all where they come from. go-flags has dealt with the command line and the defaults.
func settle(settings []setting, file string) error {
	lines, err := readFile(file)
	if err != nil {
		return err
	}
	values := map[string]inifile.Setting{}
	for _, line := range lines {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.option.LongName == line.Name }) {
			return usagef("config file: %s:%d: unknown option: %s", file, line.Line, line.Name)
		}
		values[line.Name] = line
	}
	for i := range settings {
		s := &settings[i]
		line, inFile := values[s.option.LongName]
		if err := s.settle(inFile, file, line); err != nil {
			return err
		}
	}
	return nil
}

// settle finds one setting's value. A variable that is empty is as good as none.
func (s *setting) settle(inFile bool, file string, line inifile.Setting) error {
	value := os.Getenv(s.environment)
	switch {
	case s.option.IsSet() && !s.option.IsSetDefault():
		s.origin = origin{Kind: fromOption}
	case value != "":
		s.origin = origin{Kind: fromEnvironment, Environment: s.environment}
		if err := s.set(value); err != nil {
			return usagef("%s: %w", s.environment, err)
		}
	case inFile:
		s.origin = origin{Kind: fromFile, File: file, Line: line.Line}
		if err := s.set(line.Value); err != nil {
			return usagef("config file: %s: %w", s.origin, err)
		}
	default:
		s.origin = origin{Kind: fromDefault}
	}
	return nil
}

// set says of a value that does not do what would. Words to choose from are in go-flags' own error.
func (s *setting) set(value string) error {
	err := s.option.Set(&value)
	var choice *flags.Error
	if err == nil || errors.As(err, &choice) {
		return err
	}
	return fmt.Errorf("%q is not %s", value, kindOf(s.option))
}

func readFile(name string) ([]inifile.Setting, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, usagef("config file: %w", err)
	}
	defer file.Close() //nolint:errcheck // it was only read
	lines, err := inifile.Parse(file)
	var syntax *inifile.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, usagef("config file: %s:%d: %s", name, syntax.Line, syntax.Problem)
	case err != nil:
		return nil, usagef("config file: %s: %w", name, err)
	}
	return lines, nil
}

// settable lists what the environment and a file can set: all but --config itself and what is for one run only. From then
// on go-flags leaves the environment alone: its errors would not name the variable.
func settable(parser *flags.Parser) []setting {
	var settings []setting
	add := func(title string, options []*flags.Option) {
		for _, option := range options {
			if option.EnvDefaultKey != "" && option.LongName != "config" {
				settings = append(settings, setting{option: option, group: title, environment: option.EnvDefaultKey})
				option.EnvDefaultKey = ""
			}
		}
	}
	for _, group := range optionGroups(parser) {
		add(group.ShortDescription, group.Options())
	}
	for _, command := range parser.Commands() {
		add(command.Name, command.Options())
	}
	return settings
}

// optionGroups are the groups of the program's options, in order, without go-flags' own for --help.
func optionGroups(parser *flags.Parser) []*flags.Group {
	var groups []*flags.Group
	for _, outer := range parser.Groups() {
		if outer.ShortDescription != groupOptions {
			continue
		}
		groups = append(groups, outer)
		groups = append(groups, outer.Groups()...)
	}
	return groups
}
