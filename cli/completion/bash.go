package completion

import (
	"fmt"
	"strings"

	"signalbox/cli/manual"
)

// bashScript takes the program's name, then the cases. It needs nothing of the bash-completion package, and runs in the
// bash 3.2 of macOS. bash splits --option=value at "=" (COMP_WORDBREAKS).
const bashScript = `# bash completion for %[1]s; load it with: source <(%[1]s completion bash)
_%[1]s_files() {
    local IFS=$'\n'
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen "$1" -- "$2"))
}
_%[1]s() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev="" command="" i
    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}
    if [[ $cur == "=" ]]; then
        cur=""
    elif [[ $prev == "=" ]]; then
        prev=${COMP_WORDS[COMP_CWORD-2]}
    fi
    COMPREPLY=()
    case $prev in
%[2]s    esac
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            %[3]s)
                ((i++))
                [[ ${COMP_WORDS[i]} == "=" ]] && ((i++))
                ;;
            -*) ;;
            *)
                command=${COMP_WORDS[i]}
                break
                ;;
        esac
    done
    case $command:$cur in
%[4]s    esac
}
complete -F _%[1]s %[1]s
`

func bash(p manual.Program) string {
	var values, words strings.Builder
	var takesValue []string
	for _, o := range all(p) {
		if o.Value == "" {
			continue
		}
		takesValue = append(takesValue, spellings(o)...)
		fmt.Fprintf(&values, "        %s)\n%s            return\n            ;;\n",
			strings.Join(spellings(o), "|"), bashValue(p.Name, o))
	}
	options := spelled(common(p))
	for _, c := range p.Commands {
		own := append(spelled(c.Options), options...)
		bashWords(&words, c.Name+":-*", own)
		if len(c.Values) > 0 {
			bashWords(&words, c.Name+":*", c.Values)
		}
	}
	bashWords(&words, ":-*", options)
	bashWords(&words, ":*", commandNames(p))
	return fmt.Sprintf(bashScript, p.Name, values.String(), strings.Join(takesValue, "|"), words.String())
}

// bashValue completes the value of an option; of some, nothing is known.
func bashValue(program string, o manual.Option) string {
	var lines strings.Builder
	const indent = "            "
	switch {
	case o.TakesFile():
		fmt.Fprintf(&lines, "%s_%s_files -f \"$cur\"\n", indent, program)
	case o.TakesDirectory():
		fmt.Fprintf(&lines, "%s_%s_files -d \"$cur\"\n", indent, program)
	}
	if words := o.Words(); len(words) > 0 {
		fmt.Fprintf(&lines, "%sCOMPREPLY+=($(compgen -W %s -- \"$cur\"))\n", indent, single(strings.Join(words, " ")))
	}
	return lines.String()
}

func bashWords(b *strings.Builder, pattern string, words []string) {
	fmt.Fprintf(b, "        %s)\n            COMPREPLY=($(compgen -W %s -- \"$cur\"))\n            ;;\n",
		pattern, single(strings.Join(words, " ")))
}

func spelled(options []manual.Option) []string {
	var words []string
	for _, o := range options {
		words = append(words, spellings(o)...)
	}
	return words
}
