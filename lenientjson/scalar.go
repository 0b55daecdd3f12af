package lenientjson

// scalarState is the number or literal at hand.
type scalarState struct {
	buf   []byte
	part  numberPart
	word  string // the literal that buf must become
	value Value
}

// numberPart is the grammar of RFC 8259, section 6: what the last byte of the number was.
type numberPart byte

const (
	minus numberPart = iota
	zero
	integer
	point
	fraction
	exponent
	exponentSign
	exponentDigits
)

func (p *Parser) beginNumber(c byte) {
	part := integer
	switch c {
	case '-':
		part = minus
	case '0':
		part = zero
	}
	p.scalar = scalarState{buf: append(p.scalar.buf[:0], c), part: part}
	p.memory++
	p.state = inNumber
}

func (p *Parser) beginLiteral(c byte) {
	p.scalar = scalarState{buf: append(p.scalar.buf[:0], c)}
	switch c {
	case 't':
		p.scalar.word, p.scalar.value = "true", Value{Kind: Bool, Text: "true"}
	case 'f':
		p.scalar.word, p.scalar.value = "false", Value{Kind: Bool, Text: "false"}
	default:
		p.scalar.word, p.scalar.value = "null", Value{Kind: Null}
	}
	p.state = inLiteral
}

// stepScalar handles a byte of a number, a literal or an unquoted name, or the first after it.
func (p *Parser) stepScalar(c byte) (int, Result) {
	switch p.state {
	case inName:
		return p.stepName(c)
	case inNumber:
		return p.stepNumber(c)
	}
	s := &p.scalar
	if c != s.word[len(s.buf)] {
		return p.fail(c, "expected "+s.word)
	}
	s.buf = append(s.buf, c)
	if len(s.buf) == len(s.word) {
		p.memory += nodeCost
		p.put(s.value)
	}
	return 1, Result{}
}

func (p *Parser) stepNumber(c byte) (int, Result) {
	s := &p.scalar
	if next, ok := s.part.next(c); ok {
		s.part = next
		s.buf = append(s.buf, c)
		p.memory++
		return 1, Result{}
	}
	switch s.part {
	case zero, integer, fraction, exponentDigits:
	default:
		return p.fail(c, "expected a digit")
	}
	if s.part == zero && c >= '0' && c <= '9' {
		return p.fail(c, "expected no further digit after a leading zero")
	}
	p.memory += nodeCost
	p.put(Value{Kind: Number, Text: string(s.buf)})
	if cap(s.buf) > 4<<10 {
		s.buf = nil
	}
	return 0, Result{}
}

// next returns what c makes of a number that ended in part, and whether c belongs to it at all.
func (part numberPart) next(c byte) (numberPart, bool) {
	digit := c >= '0' && c <= '9'
	switch part {
	case minus:
		if c == '0' {
			return zero, true
		}
		return integer, digit
	case zero, integer:
		switch {
		case c == '.':
			return point, true
		case c == 'e' || c == 'E':
			return exponent, true
		}
		return integer, digit && part == integer
	case point, fraction:
		if part == fraction && (c == 'e' || c == 'E') {
			return exponent, true
		}
		return fraction, digit
	case exponent:
		if c == '+' || c == '-' {
			return exponentSign, true
		}
	}
	return exponentDigits, digit
}
