package lenientjson

// recoveryState is how the parser finds the next command after an error.
//
// The rest of the line is dropped (dropping). Where the broken request is still open at its end, the lines that follow
// may belong to it, and a nested object of it must not run as a command; but a client that writes one command a line,
// and broke one, expects the next to be run. Indentation tells them apart: a line that begins with '{' or '[' no
// further right than the line on which the broken request began is a command; others are dropped without another
// error (recovering), until the brackets of the broken request are closed.
//
// Brackets are counted by a rough scan that a misplaced quote may mislead; its strings end with their line.
type recoveryState struct {
	lineStart int64 // offset of the line at hand
	inLine    bool  // a byte that is no white space was seen in it
	indent    int64 // of the line at hand, in bytes
	request   int64 // indent of the line on which the request at hand began
	depth     int   // of open brackets in the broken request
	quote     byte
	escaped   bool
}

// see follows the lines and their indents. It is called for the byte at hand unless that is inside a token.
func (p *Parser) see(c byte) {
	r := &p.recover
	switch {
	case c == '\n':
		r.lineStart, r.inLine = p.offset+1, false
	case !r.inLine && c != ' ' && c != '\t' && c != '\r':
		r.indent, r.inLine = p.offset-r.lineStart, true
	}
}

// beginRecovery forgets the broken request. The byte at hand is dropped, or ends the line, in stepRecovery.
func (p *Parser) beginRecovery() {
	p.recover.depth, p.recover.quote, p.recover.escaped = len(p.stack), 0, false
	if p.state >= inString && p.state <= wantLowU {
		p.recover.quote = p.text.quote
	}
	p.abandon()
	p.state = dropping
}

// stepRecovery drops one byte, or none when it begins a command.
func (p *Parser) stepRecovery(c byte) int {
	r := &p.recover
	first := !r.inLine
	p.see(c)
	if p.state == recovering && first && (c == '{' || c == '[') && r.indent <= r.request {
		p.state = atRoot
		return 0
	}
	switch {
	case c == '\n':
		r.quote, r.escaped = 0, false
		p.state = recovering
		if r.depth <= 0 {
			p.state = atRoot
		}
	case r.escaped:
		r.escaped = false
	case r.quote != 0:
		r.escaped = c == '\\'
		if c == r.quote {
			r.quote = 0
		}
	default:
		p.countBracket(c)
	}
	return 1
}

func (p *Parser) countBracket(c byte) {
	r := &p.recover
	switch c {
	case '"', '\'':
		r.quote = c
	case '{', '[':
		r.depth++
	case '}', ']':
		r.depth--
		if r.depth <= 0 {
			r.depth = 0
			p.state = dropping // to the end of this line, and no further
		}
	}
}
