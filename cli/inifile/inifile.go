// Package inifile reads and writes the configuration file: lines of "name = value". A heading in brackets is for people
// and means nothing; "#" or ";" begins a comment, at the start of a line or after white space. A value that would be
// misread so stands in double quotes, with Go's escapes. What the names mean is for the caller.
package inifile

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// maxBytes is far more than all options take.
const maxBytes = 1 << 20

// Setting is one line of the file.
type Setting struct {
	Name  string
	Value string
	Line  int
}

// SyntaxError is a line that is no setting.
type SyntaxError struct {
	Line    int
	Problem string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Parse reads the settings in the order of the file.
func Parse(r io.Reader) ([]Setting, error) {
	limited := &io.LimitedReader{R: r, N: maxBytes + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxBytes)
	var settings []Setting
	number := 0
	for lines.Scan() {
		number++
		name, value, problem := parseLine(lines.Text())
		if problem != "" {
			return nil, &SyntaxError{number, problem}
		}
		if name != "" {
			settings = append(settings, Setting{name, value, number})
		}
	}
	if limited.N == 0 {
		return nil, &SyntaxError{number, "the file is too large"}
	}
	return settings, lines.Err()
}

// parseLine returns no name for a line without a setting.
func parseLine(line string) (name, value, problem string) {
	line = strings.TrimSpace(line)
	if line == "" || isComment(line) {
		return "", "", ""
	}
	if strings.HasPrefix(line, "[") {
		end := strings.IndexByte(line, ']')
		if end < 0 || !isComment(strings.TrimSpace(line[end+1:])) {
			return "", "", "a heading is [text]"
		}
		return "", "", ""
	}
	name, rest, found := strings.Cut(line, "=")
	if name = strings.TrimSpace(name); !found || name == "" {
		return "", "", "expected name = value"
	}
	value, problem = parseValue(strings.TrimSpace(rest))
	return name, value, problem
}

func parseValue(text string) (value, problem string) {
	if !strings.HasPrefix(text, `"`) {
		return strings.TrimSpace(text[:commentStart(text)]), ""
	}
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		return "", "the value has no closing quote, or an escape that does not exist"
	}
	if !isComment(strings.TrimSpace(text[len(quoted):])) {
		return "", "there is something after the quoted value"
	}
	value, err = strconv.Unquote(quoted)
	if err != nil {
		return "", "the value is quoted wrongly"
	}
	return value, ""
}

// isComment also holds for nothing at all.
func isComment(text string) bool { return text == "" || text[0] == '#' || text[0] == ';' }

// commentStart finds where a comment begins in a value, or its end.
func commentStart(text string) int {
	before := ' '
	for i, r := range text {
		if (r == '#' || r == ';') && unicode.IsSpace(before) {
			return i
		}
		before = r
	}
	return len(text)
}

// Quote writes a value so that Parse reads the same.
func Quote(value string) string {
	_, read, problem := parseLine("x = " + value)
	if problem == "" && read == value && !strings.ContainsFunc(value, unicode.IsControl) {
		return value
	}
	return strconv.Quote(value)
}
