package manual

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The help's columns. A terminal may be wider or narrower than Width.
const (
	Width    = 80
	MinWidth = 60
	MaxWidth = 100

	optionColumn  = 32 // where the descriptions of options begin
	commandColumn = 14
)

// Help is the text for --help.
func (p Program) Help(width int) string {
	w := &page{width: clamp(width)}
	w.paragraph(0, p.Summary+".")
	w.paragraph(0, fmt.Sprintf("Usage: %s [options] [command]", p.Name))
	w.heading("Commands")
	for _, c := range p.Commands {
		w.entry(2, commandColumn, c.Name, c.Summary)
	}
	w.line("")
	w.paragraph(2, fmt.Sprintf("More on one of them: %s COMMAND --help", p.Name))
	for _, g := range p.Groups {
		w.options(g.Title, g.Options)
	}
	for _, c := range p.Commands {
		w.options("Options of "+c.Name, c.Options)
	}
	w.sections(p.Sections)
	return w.String()
}

// CommandHelp is the text for the --help of one command.
func (p Program) CommandHelp(c Command, width int) string {
	w := &page{width: clamp(width)}
	w.paragraph(0, fmt.Sprintf("%s %s: %s.", p.Name, c.Name, c.Summary))
	w.paragraph(0, "Usage: "+p.synopsis(c))
	for _, text := range c.About {
		w.paragraph(0, text)
	}
	if len(c.Examples) > 0 {
		w.heading("Examples")
		for _, example := range c.Examples {
			w.line("  " + example)
		}
		w.line("")
	}
	w.options("Options of "+c.Name, c.Options)
	for _, g := range p.groupsOf(c) {
		w.options(g.Title, g.Options)
	}
	w.paragraph(0, fmt.Sprintf("All options, and where else they can be set: %s --help", p.Name))
	return w.String()
}

func (p Program) synopsis(c Command) string {
	return strings.TrimSpace(fmt.Sprintf("%s [options] %s %s", p.Name, c.Name, c.Arguments))
}

func clamp(width int) int {
	if width <= 0 {
		return Width
	}
	return min(max(width, MinWidth), MaxWidth)
}

// page is plain text of a certain width.
type page struct {
	strings.Builder
	width int
}

func (w *page) line(text string) {
	w.WriteString(strings.TrimRight(text, " "))
	w.WriteByte('\n')
}

func (w *page) heading(title string) { w.line(title + ":") }

func (w *page) paragraph(indent int, text string) {
	for _, line := range wrap(text, w.width-indent) {
		w.line(strings.Repeat(" ", indent) + line)
	}
	w.line("")
}

// options writes nothing where there are none.
func (w *page) options(title string, options []Option) {
	if len(options) == 0 {
		return
	}
	w.heading(title)
	for _, o := range options {
		short := "    "
		if o.Short != "" {
			short = "-" + o.Short + ", "
		}
		w.entry(2, optionColumn, short+o.withValue(), o.Description+o.extent())
	}
	w.line("")
}

// entry writes a name and, in a column of its own, what it is. A name that is too long has a line for itself.
func (w *page) entry(indent, column int, name, text string) {
	head := strings.Repeat(" ", indent) + name
	margin := strings.Repeat(" ", column)
	if utf8.RuneCountInString(head)+2 > column {
		w.line(head)
		head = ""
	}
	for _, line := range wrap(text, w.width-column) {
		w.line(fmt.Sprintf("%-*s%s", column, head, line))
		head = margin
	}
}

func (w *page) sections(sections []Section) {
	for i, s := range sections {
		w.heading(s.Title)
		for _, text := range s.Paragraphs {
			for _, line := range wrap(text, w.width-2) {
				w.line("  " + line)
			}
		}
		if i < len(sections)-1 {
			w.line("")
		}
	}
}

// wrap breaks a text at its spaces; a longer word stands alone.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}
