package lenientjson

import (
	"unicode"
	"unicode/utf8"
)

// textState is the string or the unquoted name at hand.
type textState struct {
	quote byte
	field bool // a field's name, not a value
	buf   []byte
	part  [utf8.UTFMax]byte // the bytes of a multi-byte character so far
	parts int
	hex   rune // the digits of \uXXXX so far
	digit int
	high  rune // the first half of a surrogate pair
}

func (p *Parser) beginString(quote byte, field bool) {
	p.text = textState{quote: quote, field: field, buf: p.text.buf[:0]}
	p.state = inString
	top := p.stack[len(p.stack)-1]
	if field || top.close != '}' {
		return
	}
	for _, name := range p.opts.BlobFields {
		if top.field == name {
			p.blob = newBlobSink(p)
		}
	}
}

// stepString handles a byte of a string, or a run of plain ones.
func (p *Parser) stepString(chunk []byte) (int, Result) {
	c := chunk[0]
	switch p.state {
	case inEscape:
		return p.escape(c)
	case inHex:
		return p.hexDigit(c)
	case wantLowEscape, wantLowU:
		if c != `\u`[p.state-wantLowEscape] {
			return p.failAs(BadText, c, "expected the second half of a surrogate pair")
		}
		p.state++
		if p.state > wantLowU {
			p.text.hex, p.text.digit, p.state = 0, 0, inHex
		}
		return 1, Result{}
	}
	switch {
	case p.text.parts > 0 || c >= utf8.RuneSelf:
		return p.multiByte(c)
	case c == p.text.quote:
		p.endString()
		return 1, Result{}
	case c == '\\':
		p.state = inEscape
		return 1, Result{}
	case c < 0x20:
		return p.fail(c, "expected the end of the string; control characters in it must be escaped")
	}
	n := p.plainRun(chunk)
	p.emit(chunk[:n])
	return n, Result{}
}

// plain are the bytes that stand for themselves in a string, but for its quote.
var plain = func() (table [256]bool) {
	for c := 0x20; c < utf8.RuneSelf; c++ {
		table[c] = c != '\\'
	}
	return table
}()

// plainRun returns how many bytes at the start of chunk, at least one, are plain characters within the limits.
func (p *Parser) plainRun(chunk []byte) int {
	limit := min(int64(len(chunk)), p.opts.MaxBytes-(p.offset-p.start), p.opts.MaxMemory-p.memory+1)
	n := 1
	for quote := p.text.quote; int64(n) < limit && plain[chunk[n]] && chunk[n] != quote; {
		n++
	}
	return n
}

func (p *Parser) escape(c byte) (int, Result) {
	const from, to = `btnfr"\/'`, "\b\t\n\f\r\"\\/'"
	if c == 'u' {
		p.text.hex, p.text.digit, p.text.high, p.state = 0, 0, 0, inHex
		return 1, Result{}
	}
	for i := range len(from) {
		if c == from[i] {
			p.emit([]byte{to[i]})
			p.state = inString
			return 1, Result{}
		}
	}
	return p.fail(c, `expected one of "\/'bfnrtu after the backslash`)
}

func (p *Parser) hexDigit(c byte) (int, Result) {
	t := &p.text
	value := unhex(c)
	if value < 0 {
		return p.fail(c, `expected four hexadecimal digits after \u`)
	}
	whole := t.hex<<4 | value
	if t.digit < 3 {
		t.hex, t.digit = whole, t.digit+1
		return 1, Result{}
	}
	low, high := whole >= 0xdc00 && whole < 0xe000, whole >= 0xd800 && whole < 0xdc00
	switch {
	case low != (t.high != 0):
		return p.failAs(BadText, c, "expected both halves of a surrogate pair")
	case high:
		t.high, p.state = whole, wantLowEscape
		return 1, Result{}
	case low:
		whole = 0x10000 + (t.high-0xd800)<<10 + (whole - 0xdc00)
	}
	p.emit(utf8.AppendRune(nil, whole))
	t.high, p.state = 0, inString
	return 1, Result{}
}

func unhex(c byte) rune {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0')
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}

// multiByte handles a byte of a character that has several.
func (p *Parser) multiByte(c byte) (int, Result) {
	t := &p.text
	t.part[t.parts] = c
	whole := t.part[:t.parts+1]
	if !utf8.FullRune(whole) {
		t.parts++
		return 1, Result{}
	}
	r, size := utf8.DecodeRune(whole)
	if r == utf8.RuneError && size == 1 {
		return p.failAs(BadText, c, "expected valid UTF-8")
	}
	if p.state == inName && !nameRune(r) {
		return p.fail(c, "expected a field name of letters and digits, or one in quotes")
	}
	p.emit(whole)
	t.parts = 0
	return 1, Result{}
}

// emit adds to the string at hand.
func (p *Parser) emit(b []byte) {
	if p.blob != nil {
		p.blob.write(b)
		return
	}
	p.text.buf = append(p.text.buf, b...)
	p.memory += int64(len(b))
}

func (p *Parser) endString() {
	if p.text.field {
		p.endField()
		return
	}
	p.memory += nodeCost
	if p.blob != nil {
		blob := p.blob.finish()
		p.blob = nil
		p.put(Value{Kind: String, Blob: blob})
		return
	}
	p.put(Value{Kind: String, Text: string(p.text.buf)})
	p.shrink()
}

func (p *Parser) endField() {
	p.stack[len(p.stack)-1].field = string(p.text.buf)
	p.state = atColon
	p.shrink()
}

// shrink lets go of a buffer that one long string has grown.
func (p *Parser) shrink() {
	if cap(p.text.buf) > 64<<10 {
		p.text.buf = nil
	}
}

// stepName handles a byte of an unquoted name, or the first after it.
func (p *Parser) stepName(c byte) (int, Result) {
	switch {
	case p.text.parts > 0 || c >= utf8.RuneSelf:
		return p.multiByte(c)
	case nameByte(c):
		p.emit([]byte{c})
		return 1, Result{}
	}
	p.endField()
	return 0, Result{}
}

// nameByte reports whether c may be in an unquoted name: what Jackson takes, with all of UTF-8 left to nameRune.
func nameByte(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x7f:
		return true
	}
	switch c {
	case '_', '$', '@', '#', '*', '-', '+':
		return true
	}
	return false
}

// nameRune is Java's Character.isJavaIdentifierPart beyond ASCII; Jackson asks it for each UTF-16 unit.
func nameRune(r rune) bool {
	return r <= 0xffff && (r < 0xa0 || unicode.In(r, unicode.L, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Sc,
		unicode.Mn, unicode.Mc, unicode.Cf))
}
