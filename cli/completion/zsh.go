package completion

import (
	"fmt"
	"strings"

	"signalbox/cli/manual"
)

// zshScript works both ways: loaded with source, and as a file _NAME in $fpath (zshcompsys(1)).
const zshScript = `#compdef %[1]s
# zsh completion for %[1]s; load it with: source <(%[1]s completion zsh)
_%[1]s() {
    local curcontext=$curcontext state line ret=1
    typeset -A opt_args
    local -a common=(
%[2]s    )
    local -a commands=(
%[3]s    )
    _arguments -C -S $common '1:command:->command' '*::argument:->argument' && ret=0
    case $state in
        command)
            _describe command commands && ret=0
            ;;
        argument)
            case $line[1] in
%[4]s            esac
            ;;
    esac
    return ret
}
if [[ $funcstack[1] == _%[1]s ]]; then
    _%[1]s "$@"
else
    compdef _%[1]s %[1]s
fi
`

func zsh(p manual.Program) string {
	var options, commands, arguments strings.Builder
	for _, o := range common(p) {
		zshOption(&options, "        ", o)
	}
	for _, c := range p.Commands {
		fmt.Fprintf(&commands, "        %s\n", single(c.Name+":"+strings.ReplaceAll(c.Summary, ":", `\:`)))
		fmt.Fprintf(&arguments, "                %s)\n                    local -a own=(\n", c.Name)
		for _, o := range c.Options {
			zshOption(&arguments, "                        ", o)
		}
		if len(c.Values) > 0 {
			fmt.Fprintf(&arguments, "                        %s\n", single("1: :("+strings.Join(c.Values, " ")+")"))
		}
		arguments.WriteString("                    )\n                    _arguments -S $common $own && ret=0\n" +
			"                    ;;\n")
	}
	return fmt.Sprintf(zshScript, p.Name, options.String(), commands.String(), arguments.String())
}

// zshOption writes the specs of an option, one for each spelling, of which only one may be given.
func zshOption(b *strings.Builder, indent string, o manual.Option) {
	exclusive := "(" + strings.Join(spellings(o), " ") + ")"
	for _, spelling := range spellings(o) {
		if o.Value != "" && strings.HasPrefix(spelling, "--") {
			spelling += "=" // the value may be in the same word, or the next
		}
		fmt.Fprintf(b, "%s%s\n", indent, single(exclusive+spelling+"["+zshText.Replace(o.Description)+"]"+zshValue(o)))
	}
}

var zshText = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `:`, `\:`)

func zshValue(o manual.Option) string {
	if o.Value == "" {
		return ""
	}
	message := ":" + zshText.Replace(o.Value) + ":"
	words := strings.Join(o.Words(), " ")
	switch {
	case o.TakesFile() && words != "":
		return message + ` _alternative "words\:name\:(` + words + `)" "files\:file\:_files"`
	case o.TakesFile():
		return message + "_files"
	case o.TakesDirectory():
		return message + "_directories"
	case words != "":
		return message + "(" + words + ")"
	}
	return message
}
