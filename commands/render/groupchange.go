package render

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/serviceid"
)

// groupChange shows a change in fields, and in a line of English.
func (r *renderer) groupChange(change *model.GroupChange) *GroupChange {
	p := &people{r: r}
	if r.options.Self != nil {
		p.self = r.options.Self()
	}
	out := &GroupChange{
		Kind: change.Kind, Revision: change.Revision, Before: change.Before, After: change.After,
		Affected: make([]Person, len(change.Affected)), Text: p.sentence(change),
	}
	if !change.Editor.IsZero() {
		editor := p.person(change.Editor)
		out.Editor = &editor
	}
	for i, id := range change.Affected {
		out.Affected[i] = p.person(id)
	}
	return out
}

// people names those of one change.
type people struct {
	r    *renderer
	self []serviceid.ServiceID
}

func (p *people) person(id serviceid.ServiceID) Person {
	if id.IsZero() {
		return Person{}
	}
	number, name := p.r.person(id)
	return Person{Recipient: number, UUID: id.String(), Name: name, Self: p.isSelf(id)}
}

func (p *people) isSelf(id serviceid.ServiceID) bool {
	return !id.IsZero() && slices.Contains(p.self, id)
}

// maxNamed is how many people a line names; more are counted.
const maxNamed = 5

// name is how a line calls somebody: by name, number or service id.
func (p *people) name(id serviceid.ServiceID) string {
	switch {
	case id.IsZero():
		return "somebody"
	case p.isSelf(id):
		return "you"
	}
	number, name := p.r.person(id)
	if name = oneLine(name); name != "" {
		return name
	}
	return number
}

// names puts people in a row.
func (p *people) names(ids []serviceid.ServiceID) string {
	if len(ids) == 0 {
		return "somebody"
	}
	var all []string
	for _, id := range ids[:min(len(ids), maxNamed)] {
		all = append(all, p.name(id))
	}
	switch more := len(ids) - len(all); {
	case more == 1:
		all = append(all, "one other")
	case more > 1:
		all = append(all, strconv.Itoa(more)+" others")
	}
	last := len(all) - 1
	if last == 0 {
		return all[0]
	}
	return strings.Join(all[:last], ", ") + " and " + all[last]
}

// oneLine keeps a text that others wrote from breaking the line, or from turning its direction.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) || c == '\u2028' || c == '\u2029' {
			return ' '
		}
		return c
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// duration says a time as its largest whole unit.
func duration(seconds string) string {
	n, err := strconv.ParseUint(seconds, 10, 32)
	if err != nil {
		return "some time"
	}
	for _, unit := range []struct {
		seconds uint64
		name    string
	}{{7 * 86400, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if n%unit.seconds == 0 && n >= unit.seconds {
			return count(n/unit.seconds, unit.name)
		}
	}
	return "0 seconds"
}

func count(n uint64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatUint(n, 10) + " " + what
}
