package completion

import (
	"fmt"
	"strings"

	"signalbox/cli/manual"
)

func fish(p manual.Program) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# fish completion for %[1]s; load it with: %[1]s completion fish | source\n", p.Name)
	fmt.Fprintf(&b, "complete -c %s -f\n", p.Name)
	none := "not __fish_seen_subcommand_from " + strings.Join(commandNames(p), " ")
	for _, o := range common(p) {
		fishOption(&b, p.Name, "", o)
	}
	for _, c := range p.Commands {
		fmt.Fprintf(&b, "complete -c %s -n %s -a %s -d %s\n",
			p.Name, fishQuote(none), c.Name, fishQuote(c.Summary))
		chosen := "__fish_seen_subcommand_from " + c.Name
		if len(c.Values) > 0 {
			fmt.Fprintf(&b, "complete -c %s -n %s -a %s\n",
				p.Name, fishQuote(chosen), fishQuote(strings.Join(c.Values, " ")))
		}
		for _, o := range c.Options {
			fishOption(&b, p.Name, chosen, o)
		}
	}
	return b.String()
}

// fishOption writes an option: -x wants a value and offers no files, -F offers them.
func fishOption(b *strings.Builder, program, condition string, o manual.Option) {
	fmt.Fprintf(b, "complete -c %s", program)
	if condition != "" {
		fmt.Fprintf(b, " -n %s", fishQuote(condition))
	}
	if o.Short != "" {
		fmt.Fprintf(b, " -s %s", o.Short)
	}
	fmt.Fprintf(b, " -l %s", o.Long)
	words := strings.Join(o.Words(), " ")
	switch {
	case o.Value == "":
	case o.TakesFile():
		b.WriteString(" -r -F")
	case o.TakesDirectory():
		words = "(__fish_complete_directories)"
		fallthrough
	default:
		b.WriteString(" -x")
	}
	if words != "" {
		fmt.Fprintf(b, " -a %s", fishQuote(words))
	}
	fmt.Fprintf(b, " -d %s\n", fishQuote(o.Description))
}

// fishQuote: in fish's single quotes, a backslash escapes itself and the quote.
func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
