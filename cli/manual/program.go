// Package manual describes a command line, and writes the help and the manual page from that description. How options
// are parsed is not here; completion scripts, from the same description, are in package completion.
package manual

import "strings"

// Program is a whole command line.
type Program struct {
	Name     string
	Summary  string // one sentence, without a full stop
	About    []string
	Groups   []Group
	Commands []Command
	Sections []Section // after the options
}

// Group is a set of options that belong together.
type Group struct {
	Title   string
	Options []Option
}

// Option is one option. Value says what it takes, nothing for a switch: words in lower case are to be typed as they stand,
// those in capitals say what kind it is (FILE, PATH and DIR are names of files), and "|" stands between alternatives.
type Option struct {
	Short       string
	Long        string
	Value       string
	Choices     []string
	Default     string
	Environment string
	Description string
}

// Command is one command and the options that are its own.
type Command struct {
	Name      string
	Arguments string // as in a synopsis
	Summary   string
	About     []string
	Examples  []string
	Options   []Option
	Groups    []string // titles of the program's groups that matter most to it
	Values    []string // what its argument can be
}

// Section is a part of the text with a title.
type Section struct {
	Title      string
	Paragraphs []string
}

// Words are the values that can be typed as they stand.
func (o Option) Words() []string {
	if len(o.Choices) > 0 {
		return o.Choices
	}
	var words []string
	for _, alternative := range strings.Split(o.Value, "|") {
		if alternative != "" && alternative == strings.ToLower(alternative) {
			words = append(words, alternative)
		}
	}
	return words
}

// TakesFile reports whether a value can be the name of a file.
func (o Option) TakesFile() bool { return o.takes("FILE") || o.takes("PATH") }

// TakesDirectory reports whether the value is a directory.
func (o Option) TakesDirectory() bool { return o.takes("DIR") }

func (o Option) takes(kind string) bool {
	for _, alternative := range strings.Split(o.Value, "|") {
		if alternative == kind {
			return true
		}
	}
	return false
}

// extent says which values an option takes, and which it has when nobody sets it.
func (o Option) extent() string {
	var parts []string
	if len(o.Choices) > 0 {
		parts = append(parts, strings.Join(o.Choices, ", "))
	}
	if o.Default != "" && o.Default != "0" {
		parts = append(parts, "default: "+o.Default)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

func (o Option) withValue() string {
	if o.Value == "" {
		return "--" + o.Long
	}
	return "--" + o.Long + " " + o.Value
}

// Command finds a command by its name.
func (p Program) Command(name string) (Command, bool) {
	for _, c := range p.Commands {
		if c.Name == name {
			return c, true
		}
	}
	return Command{}, false
}

// groupsOf are the program's groups that matter to a command.
func (p Program) groupsOf(c Command) []Group {
	var groups []Group
	for _, g := range p.Groups {
		for _, title := range c.Groups {
			if g.Title == title {
				groups = append(groups, g)
			}
		}
	}
	return groups
}
