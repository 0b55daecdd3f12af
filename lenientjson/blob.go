package lenientjson

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
)

// blobSink decodes the base64 string at hand while it arrives, into memory and then into a spool file.
type blobSink struct {
	parser *Parser
	text   []byte // not yet decoded, without white space
	ended  bool   // padding was seen
	memory []byte
	file   SpoolFile
	size   int64
	err    error
}

// sinkBuffer is how much text is decoded at a time; a multiple of 4.
const sinkBuffer = 32 << 10

func newBlobSink(p *Parser) *blobSink { return &blobSink{parser: p} }

func (s *blobSink) write(b []byte) {
	for len(b) > 0 && s.err == nil {
		n := 0
		for room := min(len(b), sinkBuffer-len(s.text)); n < room && b[n] > ' ' && b[n] != '='; {
			n++
		}
		switch {
		case n > 0 && s.ended:
			s.fail(ErrBase64)
			return
		case n > 0:
			s.text = append(s.text, b[:n]...)
		default:
			if n = 1; b[0] == '=' {
				s.ended = true
				s.text = append(s.text, '=')
			}
		}
		b = b[n:]
		if len(s.text) == sinkBuffer {
			s.decode()
		}
	}
}

func (s *blobSink) decode() {
	if s.err != nil || len(s.text) == 0 {
		return
	}
	n, err := base64.StdEncoding.Decode(s.text, s.text) // in place: what is written is always behind what is read
	if err != nil {
		s.fail(ErrBase64)
		return
	}
	s.store(s.text[:n])
	s.text = s.text[:0]
}

func (s *blobSink) store(b []byte) {
	p := s.parser
	s.size += int64(len(b))
	if s.file == nil && p.blobs+int64(len(b)) <= p.opts.BlobMemory {
		s.memory = append(s.memory, b...)
		p.blobs += int64(len(b))
		return
	}
	if s.file == nil && !s.startFile() {
		return
	}
	if _, err := s.file.Write(b); err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrSpool, err))
	}
}

// startFile moves what is in memory to a spool file.
func (s *blobSink) startFile() bool {
	p := s.parser
	if p.opts.Spool == nil {
		s.fail(ErrSpool)
		return false
	}
	file, err := p.opts.Spool.Create()
	if err == nil {
		p.files = append(p.files, file)
		s.file = file
		_, err = file.Write(s.memory)
	}
	p.blobs -= int64(len(s.memory))
	s.memory = nil
	if err != nil {
		s.fail(fmt.Errorf("%w: %w", ErrSpool, err))
		return false
	}
	return true
}

// fail remembers the first error and lets go of the data; the rest of the string is read and dropped.
func (s *blobSink) fail(err error) {
	s.err = err
	s.discard()
}

func (s *blobSink) discard() {
	s.parser.blobs -= int64(len(s.memory))
	s.memory, s.text = nil, nil
	if s.file != nil {
		_ = s.file.Finish()
	}
	s.file = nil // the parser removes it with the request
}

// finish returns the blob at the end of the string.
func (s *blobSink) finish() *Blob {
	s.decode()
	if s.err == nil && s.file != nil {
		if err := s.file.Finish(); err != nil {
			s.fail(fmt.Errorf("%w: %w", ErrSpool, err))
		}
	}
	switch {
	case s.err != nil:
		return &Blob{Err: s.err}
	case s.file != nil:
		return &Blob{Size: s.size, Open: s.file.Open}
	}
	data := s.memory
	return &Blob{Size: s.size, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}}
}
