package attachmentcipher

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// EncryptOptions says how to encrypt one attachment.
type EncryptOptions struct {
	Key Key
	// Size is the plaintext's length, which must be known beforehand: the padding and the upload's length follow from it.
	Size int64
	// Random gives the 16 bytes of the IV. The same key, IV and plaintext give the same bytes, with which an
	// interrupted upload goes on; any other use needs fresh ones.
	Random io.Reader
	// Incremental asks for an incremental MAC, as the apps send it for video.
	Incremental bool
	// HashPlaintext asks for the plaintext's SHA-256, by which backups, unlike messages, check an attachment.
	HashPlaintext bool
}

// Encrypted is what the pointer says of an encrypted attachment.
type Encrypted struct {
	IV            [ivSize]byte
	EncryptedSize int64
	Digest        [sha256.Size]byte
	// PlaintextHash, IncrementalMAC and ChunkSize are set where they were asked for.
	PlaintextHash  []byte
	IncrementalMAC []byte
	ChunkSize      uint32
}

// Encrypter is an io.Reader of the encrypted form of the plaintext it was made over. It keeps about 64 KiB.
type Encrypter struct {
	plaintext io.Reader
	unread    int64 // plaintext still to come
	padding   int64 // zeros still to come

	blocks      cipher.BlockMode
	mac         hash.Hash
	digest      hash.Hash
	plainHash   hash.Hash       // may be nil
	incremental *incrementalMAC // may be nil

	buffer []byte
	ready  []byte // encrypted, not yet read
	err    error  // io.EOF once all is encrypted
	result Encrypted
}

// NewEncrypter starts encrypting plaintext.
func NewEncrypter(plaintext io.Reader, options EncryptOptions) (*Encrypter, error) {
	if options.Size < 0 || options.Size > maxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrSourceSize, options.Size)
	}
	e := &Encrypter{
		plaintext: plaintext,
		unread:    options.Size,
		padding:   PaddedSize(options.Size) - options.Size,
		mac:       hmac.New(sha256.New, options.Key.mac()),
		digest:    sha256.New(),
		buffer:    make([]byte, chunk+aes.BlockSize+macSize),
	}
	if _, err := io.ReadFull(options.Random, e.result.IV[:]); err != nil {
		return nil, fmt.Errorf("generate attachment IV: %w", err)
	}
	block, err := aes.NewCipher(options.Key.aes())
	if err != nil {
		return nil, fmt.Errorf("attachment cipher: %w", err)
	}
	e.blocks = cipher.NewCBCEncrypter(block, e.result.IV[:])
	if options.HashPlaintext {
		e.plainHash = sha256.New()
	}
	if options.Incremental {
		e.result.ChunkSize = ChunkSize(EncryptedSize(options.Size))
		e.incremental = newIncrementalMAC(options.Key, e.result.ChunkSize)
	}
	e.mac.Write(e.result.IV[:])
	e.emit(e.result.IV[:])
	return e, nil
}

// Encrypt writes the encrypted form of plaintext to w.
func Encrypt(w io.Writer, plaintext io.Reader, options EncryptOptions) (Encrypted, error) {
	e, err := NewEncrypter(plaintext, options)
	if err != nil {
		return Encrypted{}, err
	}
	if _, err := io.CopyBuffer(w, e, make([]byte, chunk)); err != nil {
		return Encrypted{}, err
	}
	return e.Result(), nil
}

// Result returns what the pointer needs. It is valid once Read has returned io.EOF.
func (e *Encrypter) Result() Encrypted { return e.result }

// Read implements io.Reader.
func (e *Encrypter) Read(p []byte) (int, error) {
	for len(e.ready) == 0 {
		if e.err != nil {
			return 0, e.err
		}
		if err := e.encryptChunk(); err != nil {
			e.err = err
		}
	}
	n := copy(p, e.ready)
	e.ready = e.ready[n:]
	return n, nil
}

// encryptChunk makes the next chunk ready. With the last one it returns io.EOF.
func (e *Encrypter) encryptChunk() error {
	n, err := e.fill(e.buffer[:chunk])
	if err != nil {
		return err
	}
	last := n < chunk
	if last {
		rest := aes.BlockSize - n%aes.BlockSize
		copy(e.buffer[n:], bytes.Repeat([]byte{byte(rest)}, rest))
		n += rest
	}
	e.blocks.CryptBlocks(e.buffer[:n], e.buffer[:n])
	e.mac.Write(e.buffer[:n])
	if !last {
		e.emit(e.buffer[:n])
		return nil
	}
	e.emit(e.mac.Sum(e.buffer[:n]))
	e.finish()
	return io.EOF
}

// fill reads plaintext, then zeros. It fills less than all of p only at the end.
func (e *Encrypter) fill(p []byte) (int, error) {
	fromSource := min(int64(len(p)), e.unread)
	if _, err := io.ReadFull(e.plaintext, p[:fromSource]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return 0, fmt.Errorf("%w: it is shorter", ErrSourceSize)
	} else if err != nil {
		return 0, fmt.Errorf("read attachment: %w", err)
	}
	if e.plainHash != nil {
		e.plainHash.Write(p[:fromSource])
	}
	e.unread -= fromSource
	if e.unread > 0 {
		return len(p), nil
	}
	zeros := min(int64(len(p))-fromSource, e.padding)
	clear(p[fromSource : fromSource+zeros])
	e.padding -= zeros
	if n := fromSource + zeros; n == int64(len(p)) {
		return len(p), nil
	} else {
		return int(n), e.expectEnd()
	}
}

func (e *Encrypter) expectEnd() error {
	_, err := io.ReadFull(e.plaintext, make([]byte, 1))
	switch err {
	case io.EOF:
		return nil
	case nil:
		return fmt.Errorf("%w: it is longer", ErrSourceSize)
	default:
		return fmt.Errorf("read attachment: %w", err)
	}
}

func (e *Encrypter) emit(encrypted []byte) {
	e.digest.Write(encrypted)
	if e.incremental != nil {
		e.incremental.write(encrypted)
	}
	e.result.EncryptedSize += int64(len(encrypted))
	e.ready = encrypted
}

func (e *Encrypter) finish() {
	e.digest.Sum(e.result.Digest[:0])
	if e.plainHash != nil {
		e.result.PlaintextHash = e.plainHash.Sum(nil)
	}
	if e.incremental != nil {
		e.result.IncrementalMAC = e.incremental.finish()
	}
}
