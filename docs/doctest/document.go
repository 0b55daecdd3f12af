// Package doctest reads the shell blocks of the documents, runs them, and says whether they still print what the
// documents show. What differs from one run to the next (times, identifiers, keys) is compared by its kind alone.
//
// Which documents are run, and against what, is for the tests to say: docs and interop.
package doctest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Marks of a block, in an HTML comment on the line before its fence.
const (
	// Daemon has the block's one command run until the end of the document.
	Daemon = "daemon"
	// Phone has somebody scan the linking code that the block shows.
	Phone = "phone"
	// notRun, with a reason after it, leaves a block out.
	notRun = "not run: "
)

// Document is a Markdown file with shell blocks.
type Document struct {
	Path   string
	Text   string
	Blocks []*Block
}

// Block is a fenced block that a person types into a shell: of the language console, where commands begin with "$ " and
// their output follows, or sh, which shows commands alone.
type Block struct {
	Language string
	Line     int // of its first line
	Mark     string
	Steps    []*Step
	// start and end are where the block's text lies in the document's.
	start, end int
}

// Step is a command and what it prints.
type Step struct {
	Command, Output string
	// notes are lines that come before the command: what somebody else does meanwhile.
	notes string
}

// fence matches a fenced block with the comment before it, if it has one.
var fence = regexp.MustCompile("(?ms)^(?:<!-- ([^\n]*?) -->\n)?```([a-z]*)\n(.*?)^```$")

// Shells are the languages whose blocks are run.
var shells = map[string]bool{"console": true, "sh": true, "bash": true}

// Read reads a document.
func Read(path string) (*Document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("doctest: %w", err)
	}
	return parse(path, string(text))
}

func parse(path, text string) (*Document, error) {
	d := &Document{Path: path, Text: text}
	for _, at := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := &Block{Language: text[at[4]:at[5]], Line: 1 + strings.Count(text[:at[6]], "\n"), start: at[6], end: at[7]}
		if at[2] >= 0 {
			b.Mark = text[at[2]:at[3]]
		}
		body := text[b.start:b.end]
		switch {
		case b.Language == "console":
			b.Steps = steps(body)
		case shells[b.Language]:
			b.Steps = []*Step{{Command: strings.TrimSuffix(body, "\n")}}
		case strings.HasPrefix(body, "$ "):
			return nil, fmt.Errorf("doctest: %s:%d: a block with commands needs the language console", path, b.Line)
		default:
			continue
		}
		if len(b.Steps) == 0 {
			return nil, fmt.Errorf("doctest: %s:%d: a console block without a command", path, b.Line)
		}
		d.Blocks = append(d.Blocks, b)
	}
	return d, nil
}

// steps takes a session apart. A command goes on in lines that begin with "> ".
func steps(body string) []*Step {
	var all []*Step
	var last *Step
	notes, typing := "", false
	for line := range strings.Lines(body) {
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		switch {
		case isCommand:
			last = &Step{Command: strings.TrimSuffix(command, "\n"), notes: notes}
			all, notes, typing = append(all, last), "", true
		case isMore && typing:
			last.Command += "\n" + strings.TrimSuffix(more, "\n")
		case strings.HasPrefix(line, "# "):
			notes += line
		case last != nil:
			last.Output, typing = last.Output+line, false
		}
	}
	return all
}

// SetText puts another session in a block's place.
func (b *Block) SetText(text string) { b.Steps = steps(text) }

// Text is the block as the document should have it.
func (b *Block) Text() string {
	var out strings.Builder
	for _, s := range b.Steps {
		if b.Language == "console" {
			out.WriteString(s.notes + "$ " + strings.ReplaceAll(s.Command, "\n", "\n> ") + "\n" + s.Output)
		} else {
			out.WriteString(s.Command + "\n")
		}
	}
	return out.String()
}

// NotRun is the reason why a block is left out, if it is.
func (b *Block) NotRun() (reason string, ok bool) { return strings.CutPrefix(b.Mark, notRun) }

// Where names a block for people.
func (d *Document) Where(b *Block) string { return fmt.Sprintf("%s:%d", filepath.Base(d.Path), b.Line) }

// Write writes the document with the outputs that its steps have now.
func (d *Document) Write() error {
	text := d.Text
	for i := len(d.Blocks) - 1; i >= 0; i-- {
		text = text[:d.Blocks[i].start] + d.Blocks[i].Text() + text[d.Blocks[i].end:]
	}
	return os.WriteFile(d.Path, []byte(text), 0o644) //nolint:gosec // a document
}
