// Package phonenumber brings phone numbers to E.164, by the lengths and prefixes of each country's numbering plan
// (ITU-T E.164; the rules are those of Google's libphonenumber, PhoneNumberUtil.parse and isPossibleNumber). It knows no
// national forms, no formats for people, and not which numbers are in use: numbering plans change faster than libraries.
//
// The plans are generated from github.com/nyaruka/phonenumbers, which the tests compare with. That library itself would
// be an eighth of the binary, and 2.4 MiB of memory from the start.
package phonenumber

import (
	"regexp"
	"slices"
	"strings"
)

//go:generate go run generate.go

// plan is what is needed of the numbering plan behind a calling code; where several countries share the code, of the main
// one's.
type plan struct {
	code string
	// lengths has a bit for each possible count of digits after the code; local, for those possible within an area only.
	lengths, local uint32
	// prefix matches what is dialled before a number at home, and transform says what comes in its place; number matches
	// a whole number.
	prefix, transform, number string
}

const (
	minDigits = 2  // of a number after the calling code
	maxDigits = 17 // likewise; longer than E.164 has it, as there are such
	maxCode   = 3
)

// Parse takes a number with + and its calling code, and returns it in E.164: "+", and digits. A prefix that is dialled at
// home alone is left out, as in +44 020…, and what people write between digits. It reports false for what is not a
// number, and for a length that its country cannot have.
func Parse(text string) (string, bool) {
	digits, international := strings.CutPrefix(decoration.Replace(text), "+")
	if !international || len(digits) > maxCode+maxDigits || strings.Trim(digits, "0123456789") != "" {
		return "", false
	}
	p, national := split(digits)
	if p == nil || len(national) < minDigits {
		return "", false
	}
	if short := p.withoutPrefix(national); p.worthStripping(short) {
		national = short
	}
	if len(national) > maxDigits || !p.possible(national) {
		return "", false
	}
	return "+" + p.code + national, true
}

// decoration is what people write between digits.
var decoration = strings.NewReplacer(" ", "", "-", "", ".", "", "(", "", ")", "")

// split finds the plan of a calling code, of which none begins another.
func split(digits string) (*plan, string) {
	for size := 1; size <= min(maxCode, len(digits)); size++ {
		if at, ok := slices.BinarySearchFunc(plans, digits[:size], byCode); ok {
			return &plans[at], digits[size:]
		}
	}
	return nil, ""
}

func byCode(p plan, code string) int { return strings.Compare(p.code, code) }

func (p *plan) possible(national string) bool {
	return (p.lengths|p.local)>>len(national)&1 == 1
}

// worthStripping is false for what is too short without the prefix, or of a length between two that are possible.
func (p *plan) worthStripping(national string) bool {
	return p.lengths>>len(national)&1 == 1 || p.lengths>>len(national) == 0 && p.local>>len(national)&1 == 0
}

// withoutPrefix is a number without what is dialled before it at home. A number that is right as it is stays so.
func (p *plan) withoutPrefix(national string) string {
	if p.prefix == "" {
		return national
	}
	prefix := regexp.MustCompile("^(?:" + p.prefix + ")")
	at := prefix.FindStringSubmatchIndex(national)
	if at == nil {
		return national
	}
	short := national[at[1]:]
	if last := at[len(at)-2]; p.transform != "" && last >= 0 {
		short = prefix.ReplaceAllString(national, p.transform)
	}
	if number := regexp.MustCompile("^(?:" + p.number + ")$"); number.MatchString(national) && !number.MatchString(short) {
		return national
	}
	return short
}
