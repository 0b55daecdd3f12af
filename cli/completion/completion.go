// Package completion writes scripts that complete a command line in bash, zsh and fish, from its description in package
// manual: commands, options, the values of options that have a set of them, and names of files and directories.
package completion

import (
	"fmt"
	"strings"

	"signalbox/cli/manual"
)

// Shells are those that Script knows.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// UnknownShellError is a shell that there is no script for.
type UnknownShellError struct{ Shell string }

func (e *UnknownShellError) Error() string {
	return fmt.Sprintf("there is no completion for %q, only for %s", e.Shell, strings.Join(Shells(), ", "))
}

// Script is the completion script for a shell.
func Script(p manual.Program, shell string) (string, error) {
	switch shell {
	case "bash":
		return bash(p), nil
	case "zsh":
		return zsh(p), nil
	case "fish":
		return fish(p), nil
	}
	return "", &UnknownShellError{shell}
}

// common are the options that every command takes.
func common(p manual.Program) []manual.Option {
	options := []manual.Option{{Short: "h", Long: "help", Description: "show the help"}}
	for _, g := range p.Groups {
		options = append(options, g.Options...)
	}
	return options
}

// all are the options of the program and of its commands.
func all(p manual.Program) []manual.Option {
	options := common(p)
	for _, c := range p.Commands {
		options = append(options, c.Options...)
	}
	return options
}

// spellings are the ways to write an option.
func spellings(o manual.Option) []string {
	if o.Short == "" {
		return []string{"--" + o.Long}
	}
	return []string{"-" + o.Short, "--" + o.Long}
}

func commandNames(p manual.Program) []string {
	names := make([]string, 0, len(p.Commands))
	for _, c := range p.Commands {
		names = append(names, c.Name)
	}
	return names
}

// single puts a text into single quotes for zsh and bash.
func single(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
