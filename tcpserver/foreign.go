package tcpserver

// protocol is what the first bytes of a connection look like.
type protocol byte

const (
	undecided protocol = iota
	jsonStream
	httpRequest
	otherProtocol
)

// longestMethod bounds how many letters are waited for before a line cannot begin with an HTTP method any more.
const longestMethod = 32

// sniff looks at the first bytes of a connection. A web page can make a browser post to localhost, and can choose the
// body: so what begins as an HTTP request never reaches the parser, which would skip the headers as broken lines and
// run the body. The same goes for the two binary protocols that a page can make a browser speak to any port with
// chosen bytes inside: TLS (a ClientHello; resumption tickets) and STUN (a TURN server's user name).
func sniff(first []byte) protocol {
	if len(first) == 0 {
		return undecided
	}
	switch c := first[0]; {
	case c == 0x16:
		return prefix(first, 0, "\x16\x03", otherProtocol)
	case c == 0x00 || c == 0x01:
		return prefix(first, 4, "\x21\x12\xa4\x42", otherProtocol) // RFC 8489, section 5: the magic cookie
	case !methodByte(c):
		return jsonStream
	}
	for i, c := range first {
		switch {
		case i == longestMethod:
			return jsonStream
		case c == ' ' && i >= 3:
			return httpRequest
		case !methodByte(c):
			return jsonStream
		}
	}
	return undecided
}

// prefix reports found if want is at offset of first.
func prefix(first []byte, offset int, want string, found protocol) protocol {
	for i := range want {
		switch {
		case offset+i >= len(first):
			return undecided
		case first[offset+i] != want[i]:
			return jsonStream
		}
	}
	return found
}

// methodByte reports whether c may be in a request method that browsers send; the registered ones are capitals.
func methodByte(c byte) bool { return c >= 'A' && c <= 'Z' || c == '-' || c == '_' }

const httpRefusal = "HTTP/1.1 400 Bad Request\r\n" +
	"Content-Type: text/plain\r\nContent-Length: 71\r\nConnection: close\r\n\r\n" +
	"This port takes JSON commands, one after another, as they are: no HTTP\n"
