package lenientjson

// Options bound a Parser.
type Options struct {
	// MaxBytes is the longest request, as bytes of the stream.
	MaxBytes int64
	// MaxMemory is the most that a request may take in memory outside its blobs: its text, and nodeCost per value.
	MaxMemory int64
	// MaxDepth is how deep objects and arrays may nest.
	MaxDepth int
	// BlobFields are the fields whose string values are base64, decoded as they arrive.
	BlobFields []string
	// BlobMemory is how much of a request's blobs stays in memory; beyond it, they go to Spool.
	BlobMemory int64
	Spool      Spool
}

const byteOrderMark = "\xef\xbb\xbf"

// nodeCost is what one value costs in memory, roughly: a Value, its place in a map or slice, its string's header.
const nodeCost = 160

// DefaultOptions are the protocol's limits. Spool is nil: then long blobs fail with ErrSpool.
func DefaultOptions() Options {
	return Options{
		MaxBytes: 160 << 20, MaxMemory: 16 << 20, MaxDepth: 64,
		BlobFields: []string{"base64Data"}, BlobMemory: 1 << 20,
	}
}

// state is what the next byte may be.
type state byte

const (
	atRoot        state = iota // the start of a request, or of brackets around requests
	atValue                    // a value
	atElement                  // a value or ']'
	atField                    // a field name or '}'
	atColon                    // ':'
	afterValue                 // ',' or the closing bracket
	inString                   // see string.go
	inEscape                   // after a backslash
	inHex                      // in the digits of \uXXXX
	wantLowEscape              // the backslash of the second half of a surrogate pair
	wantLowU                   // the 'u' of the second half
	inName                     // in an unquoted field name
	inNumber                   // see scalar.go
	inLiteral                  // in true, false or null
	inMark                     // in the byte order mark of the stream
	dropping                   // the rest of a line after an error, see recovery.go
	recovering                 // the further lines of a broken request
	finished                   // after TooLarge: nothing more is read
)

// frame is one open object or array. The brackets of a top-level array are a frame without a value.
type frame struct {
	close    byte
	brackets bool
	value    Value
	field    string
}

// Parser reads requests out of chunks of a stream. It is for one goroutine.
type Parser struct {
	opts  Options
	state state
	stack []frame
	files []SpoolFile

	offset int64 // of the byte at hand
	start  int64 // of the request at hand
	memory int64
	blobs  int64 // bytes of blobs in memory

	text    textState
	scalar  scalarState
	blob    *blobSink
	recover recoveryState
}

// NewParser returns a parser at the start of a stream.
func NewParser(opts Options) *Parser { return &Parser{opts: opts} }

// Result is what Feed found: at most one of the two is set.
type Result struct {
	// Request is complete; whoever takes it closes it.
	Request *Request
	Err     *SyntaxError
}

// Feed reads chunk up to the end of the first request or error in it, and returns how many bytes it took; the caller
// feeds the rest. After a TooLarge error it takes everything and finds nothing.
func (p *Parser) Feed(chunk []byte) (int, Result) {
	for i := 0; i < len(chunk); {
		n, res := p.step(chunk[i:])
		i += n
		p.offset += int64(n)
		if res != (Result{}) {
			return i, res
		}
	}
	return len(chunk), Result{}
}

// InRequest reports whether a request has begun and not ended: what --request-timeout bounds.
func (p *Parser) InRequest() bool {
	return p.state < dropping && (len(p.stack) > 1 || len(p.stack) == 1 && !p.stack[0].brackets)
}

// Close gives up what is unfinished, and removes its spool files.
func (p *Parser) Close() {
	p.abandon()
	p.state = finished
}

// step handles at least one byte of chunk, which is not empty.
func (p *Parser) step(chunk []byte) (int, Result) {
	if p.state == finished {
		return len(chunk), Result{}
	}
	if p.InRequest() && p.offset-p.start >= p.opts.MaxBytes {
		return p.tooLarge("the request is longer than the limit of --max-request-bytes")
	}
	if p.InRequest() && p.memory > p.opts.MaxMemory {
		return p.tooLarge("the request is too large outside its attachments")
	}
	switch p.state {
	case inString, inEscape, inHex, wantLowEscape, wantLowU:
		return p.stepString(chunk)
	case inName, inNumber, inLiteral:
		return p.stepScalar(chunk[0])
	case dropping, recovering:
		return p.stepRecovery(chunk[0]), Result{}
	}
	c := chunk[0]
	p.see(c)
	if isSpace(c) && p.state != inMark { // the bytes of a byte order mark stand together
		return 1, Result{}
	}
	return p.stepStructure(c)
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// stepStructure handles a byte between the tokens. The byte is not white space.
func (p *Parser) stepStructure(c byte) (int, Result) {
	switch p.state {
	case atRoot:
		return p.beginRequest(c)
	case inMark:
		if c != byteOrderMark[p.offset] {
			return p.failAs(BadText, c, "expected the rest of the byte order mark")
		}
		if p.offset == int64(len(byteOrderMark)-1) {
			p.state = atRoot
		}
		return 1, Result{}
	case atField:
		if c != '}' {
			return p.beginField(c)
		}
		return p.endContainer()
	case atColon:
		if c != ':' {
			return p.fail(c, "expected ':' after the field name")
		}
		p.state = atValue
		return 1, Result{}
	case afterValue:
		return p.separator(c)
	case atElement:
		if c == ']' {
			return p.endContainer()
		}
	}
	return p.beginValue(c)
}

func (p *Parser) beginRequest(c byte) (int, Result) {
	p.start, p.recover.request = p.offset, p.recover.indent
	switch c {
	case '{':
		return p.open(c)
	case '[':
		p.stack = append(p.stack, frame{close: ']', brackets: true})
		p.state = atElement
		return 1, Result{}
	case byteOrderMark[0]:
		if p.offset == 0 { // as in Jackson
			p.state = inMark
			return 1, Result{}
		}
	}
	return p.failAs(NotAnObject, c, "expected '{', the start of a command")
}

func (p *Parser) beginValue(c byte) (int, Result) {
	if top := &p.stack[len(p.stack)-1]; top.brackets {
		p.start, p.recover.request = p.offset, p.recover.indent
		if c != '{' {
			return p.failAs(NotAnObject, c, "expected '{', the start of a command, or ']'")
		}
	}
	switch {
	case c == '{' || c == '[':
		return p.open(c)
	case c == '"' || c == '\'':
		p.beginString(c, false)
	case c == '-' || c >= '0' && c <= '9':
		p.beginNumber(c)
	case c == 't' || c == 'f' || c == 'n':
		p.beginLiteral(c)
	default:
		return p.fail(c, "expected a value")
	}
	return 1, Result{}
}

func (p *Parser) beginField(c byte) (int, Result) {
	switch {
	case c == '"' || c == '\'':
		p.beginString(c, true)
		return 1, Result{}
	case nameByte(c):
		p.text = textState{field: true, buf: p.text.buf[:0]}
		p.state = inName
		return 0, Result{}
	}
	return p.fail(c, "expected a field name or '}'")
}

func (p *Parser) separator(c byte) (int, Result) {
	top := &p.stack[len(p.stack)-1]
	switch {
	case c == top.close:
		return p.endContainer()
	case c == ',' && top.close == '}':
		p.state = atField
	case c == ',':
		p.state = atElement
	default:
		return p.fail(c, "expected ',' or '"+string(rune(top.close))+"'")
	}
	return 1, Result{}
}

func (p *Parser) open(c byte) (int, Result) {
	if p.depth() >= p.opts.MaxDepth {
		return p.failAs(TooDeep, c, "objects and arrays are nested too deep")
	}
	p.memory += nodeCost
	if c == '{' {
		p.stack = append(p.stack, frame{close: '}', value: Value{Kind: Object, Fields: map[string]Value{}}})
		p.state = atField
	} else {
		p.stack = append(p.stack, frame{close: ']', value: Value{Kind: Array}})
		p.state = atElement
	}
	return 1, Result{}
}

func (p *Parser) depth() int {
	if len(p.stack) > 0 && p.stack[0].brackets {
		return len(p.stack) - 1
	}
	return len(p.stack)
}

// endContainer closes the innermost object or array, which may complete a request.
func (p *Parser) endContainer() (int, Result) {
	last := len(p.stack) - 1
	done := p.stack[last]
	p.stack[last] = frame{}
	p.stack = p.stack[:last]
	switch {
	case done.brackets:
		p.state = atRoot
		return 1, Result{}
	case last == 0 || p.stack[last-1].brackets:
		p.state = atRoot
		if last > 0 {
			p.state = afterValue
		}
		request := &Request{Value: done.value, files: p.files}
		p.files, p.memory, p.blobs = nil, 0, 0
		return 1, Result{Request: request}
	}
	p.put(done.value)
	return 1, Result{}
}

// put adds a complete value to the innermost open object or array.
func (p *Parser) put(v Value) {
	top := &p.stack[len(p.stack)-1]
	if top.close == '}' {
		top.value.Fields[top.field] = v // the last of two equal names counts
	} else {
		top.value.Items = append(top.value.Items, v)
	}
	p.state = afterValue
}

func (p *Parser) tooLarge(message string) (int, Result) {
	err := p.errorAt(p.offset, TooLarge, message)
	p.abandon()
	p.state = finished
	return 0, Result{Err: err}
}

func (p *Parser) fail(c byte, expected string) (int, Result) { return p.failAs(BadSyntax, c, expected) }

// failAs reports an error at the byte at hand, and drops the rest of the line from that byte on.
func (p *Parser) failAs(reason Reason, c byte, expected string) (int, Result) {
	err := p.errorAt(p.offset, reason, expected+", found "+show(c))
	p.beginRecovery()
	return 0, Result{Err: err}
}

func (p *Parser) errorAt(offset int64, reason Reason, message string) *SyntaxError {
	return &SyntaxError{Reason: reason, Offset: offset, InRequest: offset - p.start, Message: message}
}

// abandon forgets the request at hand.
func (p *Parser) abandon() {
	if p.blob != nil {
		p.blob.discard()
		p.blob = nil
	}
	(&Request{files: p.files}).Close()
	p.files, p.memory, p.blobs = nil, 0, 0
	clear(p.stack)
	p.stack = p.stack[:0]
	p.text.buf, p.scalar.buf = nil, nil
}
