package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"

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
	option *flags.Option
	group  string
	origin origin
}

// settle gives the options that neither the command line nor the environment has set the values of the file, if there is
// one, and says of all where they come from. go-flags has dealt with the other two, and with the defaults.
func settle(parser *flags.Parser, file string) ([]setting, error) {
	settings := settable(parser)
	lines, err := readFile(file)
	if err != nil {
		return nil, err
	}
	byName := map[string]*setting{}
	for i := range settings {
		s := &settings[i]
		byName[s.option.LongName] = s
		s.origin = beforeFile(s.option)
	}
	for _, line := range lines {
		s, known := byName[line.Name]
		if !known {
			return nil, usagef("config file: %s:%d: unknown option: %s", file, line.Line, line.Name)
		}
		if s.origin.Kind == fromOption || s.origin.Kind == fromEnvironment {
			continue
		}
		if err := s.option.Set(&line.Value); err != nil {
			return nil, usagef("config file: %s:%d: %s: %w", file, line.Line, line.Name, err)
		}
		s.origin = origin{Kind: fromFile, File: file, Line: line.Line}
	}
	return settings, nil
}

func beforeFile(option *flags.Option) origin {
	if option.IsSet() && !option.IsSetDefault() {
		return origin{Kind: fromOption}
	}
	if _, set := os.LookupEnv(option.EnvDefaultKey); set && option.EnvDefaultKey != "" {
		return origin{Kind: fromEnvironment, Environment: option.EnvDefaultKey}
	}
	return origin{Kind: fromDefault}
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

// settable lists what a file can set: all but --config itself and what is for one run only.
func settable(parser *flags.Parser) []setting {
	var settings []setting
	add := func(title string, options []*flags.Option) {
		for _, option := range options {
			if isSettable(option) {
				settings = append(settings, setting{option: option, group: title})
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

func isSettable(option *flags.Option) bool {
	return option.EnvDefaultKey != "" && option.LongName != "config" && option.Field().Type.Kind() != reflect.Func
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
