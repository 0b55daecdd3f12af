package manual

import (
	"fmt"
	"strings"
	"time"
)

// sourceWidth is for whoever reads the source of a page.
const sourceWidth = 78

// Edition says of which build a manual page is.
type Edition struct {
	Version string
	Date    time.Time
}

// Page is the manual page of section 1, in the man macros of groff_man(7) and mandoc's man(7).
func (p Program) Page(edition Edition) string {
	r := &roff{}
	fmt.Fprintf(r, ".TH %s 1 %s \"%s\"\n", escape(strings.ToUpper(p.Name)), edition.Date.UTC().Format(time.DateOnly),
		escape(p.Name+" "+edition.Version))
	r.macro("SH", "NAME")
	r.text(p.Name + " - " + lowerFirst(strings.TrimPrefix(p.Summary, p.Name+" ")))
	r.macro("SH", "SYNOPSIS")
	r.macro("B", p.Name)
	r.text("[options] [command]")
	r.macro("SH", "DESCRIPTION")
	r.paragraphs(p.About)
	r.commands(p)
	r.macro("SH", "OPTIONS")
	for _, g := range p.Groups {
		r.options(g.Title, g.Options)
	}
	for _, c := range p.Commands {
		r.options("Options of "+c.Name, c.Options)
	}
	for _, s := range p.Sections {
		r.macro("SH", strings.ToUpper(s.Title))
		r.paragraphs(s.Paragraphs)
	}
	return r.String()
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// roff is a document under way.
type roff struct{ strings.Builder }

// macro writes a request; its arguments are quoted where they need it.
func (r *roff) macro(name string, arguments ...string) {
	r.WriteString("." + name)
	for _, a := range arguments {
		r.WriteByte(' ')
		if escaped := escape(a); strings.Contains(escaped, " ") || escaped == "" {
			r.WriteString(`"` + escaped + `"`)
		} else {
			r.WriteString(escaped)
		}
	}
	r.WriteByte('\n')
}

// text writes running text. A full stop at the start of a line would make it a request.
func (r *roff) text(text string) {
	for _, line := range wrap(escape(text), sourceWidth) {
		if strings.HasPrefix(line, ".") {
			line = `\&` + line
		}
		r.WriteString(line + "\n")
	}
}

func (r *roff) paragraphs(texts []string) {
	for i, text := range texts {
		if i > 0 {
			r.macro("PP")
		}
		r.text(text)
	}
}

func (r *roff) commands(p Program) {
	r.macro("SH", "COMMANDS")
	for _, c := range p.Commands {
		r.macro("SS", strings.TrimSpace(c.Name+" "+c.Arguments))
		r.text(upperFirst(c.Summary) + ".")
		for _, text := range c.About {
			r.macro("PP")
			r.text(text)
		}
		for i, example := range c.Examples {
			if i == 0 {
				r.macro("PP")
				r.text("Examples:")
			}
			r.macro("PP")
			r.macro("RS", "4")
			r.macro("EX")
			r.WriteString(`\&` + escape(example) + "\n")
			r.macro("EE")
			r.macro("RE")
		}
	}
}

func upperFirst(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (r *roff) options(title string, options []Option) {
	if len(options) == 0 {
		return
	}
	r.macro("SS", title)
	for _, o := range options {
		r.macro("TP")
		r.WriteString(heading(o) + "\n")
		r.text(upperFirst(o.Description) + o.extent() + ".")
		if o.Environment != "" {
			r.text("Environment: " + o.Environment + ".")
		}
	}
}

// heading names an option in bold, and its value in italics.
func heading(o Option) string {
	head := bold("--" + o.Long)
	if o.Short != "" {
		head = bold("-"+o.Short) + ", " + head
	}
	if o.Value != "" {
		head += ` \fI` + escape(o.Value) + `\fR`
	}
	return head
}

func bold(text string) string { return fmt.Sprintf(`\fB%s\fR`, escape(text)) }

// special are the characters that roff takes for something else, or shows as another (groff_char(7)).
var special = strings.NewReplacer(
	`\`, `\(rs`, `-`, `\-`, `'`, `\(aq`, `"`, `\(dq`, "`", `\(ga`, `^`, `\(ha`, `~`, `\(ti`)

func escape(text string) string { return special.Replace(text) }
