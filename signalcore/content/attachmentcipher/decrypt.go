package attachmentcipher

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
)

// tail is what Decrypt holds back until it has seen the end: the last block and the MAC.
const tail = aes.BlockSize + macSize

// DecryptOptions says what an encrypted attachment must be: the fields of its pointer.
type DecryptOptions struct {
	Key Key
	// Size is the length of the plaintext; what follows it is padding.
	Size int64
	// Digest is that of the encrypted form. Where it is empty, PlaintextHash is needed.
	Digest        []byte
	PlaintextHash []byte
	// IncrementalMAC and ChunkSize, where given, let a bad stream fail at its first bad chunk instead of at its end.
	IncrementalMAC []byte
	ChunkSize      uint32
}

// Decrypt reads an encrypted attachment to its end and writes the plaintext to provisional, which gets bytes before
// they can be known to be good: nothing in it may be shown or kept unless Decrypt returns nil, which means that MAC and
// digest, the size and the hash all hold. So provisional is a temporary file, renamed after success and removed
// otherwise. The source is read no further than twice the length that the size announces.
func Decrypt(provisional io.Writer, encrypted io.Reader, options DecryptOptions) error {
	d, err := newDecrypter(provisional, options)
	if err != nil {
		return err
	}
	limit := 2 * EncryptedSize(options.Size)
	source := &io.LimitedReader{R: encrypted, N: limit + 1}
	rest, err := d.stream(source)
	if err != nil {
		return err
	}
	if source.N == 0 {
		return ErrTooLong
	}
	return d.finish(rest)
}

type decrypter struct {
	options     DecryptOptions
	provisional io.Writer
	unwritten   int64

	block       cipher.Block
	blocks      cipher.BlockMode
	mac         hash.Hash
	digest      hash.Hash
	plainHash   hash.Hash       // may be nil
	incremental *incrementalMAC // may be nil
}

func newDecrypter(provisional io.Writer, options DecryptOptions) (*decrypter, error) {
	if len(options.Digest) == 0 && len(options.PlaintextHash) == 0 {
		return nil, ErrNoDigest
	}
	if options.Size < 0 || options.Size > maxSize {
		return nil, fmt.Errorf("%w: %d bytes", ErrSourceSize, options.Size)
	}
	block, err := aes.NewCipher(options.Key.aes())
	if err != nil {
		return nil, fmt.Errorf("attachment cipher: %w", err)
	}
	d := &decrypter{
		options:     options,
		provisional: provisional,
		unwritten:   options.Size,
		block:       block,
		mac:         hmac.New(sha256.New, options.Key.mac()),
		digest:      sha256.New(),
	}
	if len(options.PlaintextHash) > 0 {
		d.plainHash = sha256.New()
	}
	if len(options.IncrementalMAC) > 0 {
		d.incremental = newIncrementalCheck(options.Key, options.ChunkSize, options.IncrementalMAC)
	}
	return d, nil
}

// stream decrypts all but the tail, which it returns.
func (d *decrypter) stream(source io.Reader) ([]byte, error) {
	buffer := make([]byte, chunk+tail)
	if err := d.readIV(source, buffer[:ivSize]); err != nil {
		return nil, err
	}
	held := 0
	for {
		n, err := io.ReadFull(source, buffer[held:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("read attachment: %w", err)
		}
		if err := d.see(buffer[held : held+n]); err != nil {
			return nil, err
		}
		have := held + n
		whole := max(have-tail, 0) / aes.BlockSize * aes.BlockSize
		d.mac.Write(buffer[:whole])
		d.blocks.CryptBlocks(buffer[:whole], buffer[:whole])
		if err := d.write(buffer[:whole]); err != nil {
			return nil, err
		}
		held = copy(buffer, buffer[whole:have])
		if err != nil {
			return buffer[:held], nil
		}
	}
}

func (d *decrypter) readIV(source io.Reader, iv []byte) error {
	if _, err := io.ReadFull(source, iv); err == io.EOF || err == io.ErrUnexpectedEOF {
		return ErrTruncated
	} else if err != nil {
		return fmt.Errorf("read attachment: %w", err)
	}
	d.blocks = cipher.NewCBCDecrypter(d.block, iv)
	d.mac.Write(iv)
	return d.see(iv)
}

// see takes every byte of the encrypted form once, in order.
func (d *decrypter) see(encrypted []byte) error {
	d.digest.Write(encrypted)
	if d.incremental != nil {
		if d.incremental.write(encrypted); d.incremental.bad {
			return ErrIncrementalMAC
		}
	}
	return nil
}

func (d *decrypter) write(plaintext []byte) error {
	plaintext = plaintext[:min(int64(len(plaintext)), d.unwritten)]
	if len(plaintext) == 0 {
		return nil
	}
	d.unwritten -= int64(len(plaintext))
	if d.plainHash != nil {
		d.plainHash.Write(plaintext)
	}
	if _, err := d.provisional.Write(plaintext); err != nil {
		return fmt.Errorf("write attachment: %w", err)
	}
	return nil
}

// finish judges the whole before it looks at the last block.
func (d *decrypter) finish(rest []byte) error {
	if len(rest) != tail {
		return ErrTruncated
	}
	last, mac := rest[:aes.BlockSize], rest[aes.BlockSize:]
	d.mac.Write(last)
	if !hmac.Equal(d.mac.Sum(nil), mac) {
		return ErrMAC
	}
	if len(d.options.Digest) > 0 && !hmac.Equal(d.digest.Sum(nil), d.options.Digest) {
		return ErrDigest
	}
	if d.incremental != nil {
		if d.incremental.finish(); d.incremental.bad {
			return ErrIncrementalMAC
		}
	}
	d.blocks.CryptBlocks(last, last)
	unpadded, err := unpad(last)
	if err != nil {
		return err
	}
	if err := d.write(unpadded); err != nil {
		return err
	}
	if d.unwritten > 0 {
		return fmt.Errorf("%w: %d bytes of its plaintext are missing", ErrTruncated, d.unwritten)
	}
	if d.plainHash != nil && !hmac.Equal(d.plainHash.Sum(nil), d.options.PlaintextHash) {
		return ErrPlaintextHash
	}
	return nil
}

// unpad removes PKCS #7 padding. It may branch on the block, as the MAC was good.
func unpad(last []byte) ([]byte, error) {
	n := int(last[len(last)-1])
	if n == 0 || n > len(last) {
		return nil, ErrBlockPadding
	}
	for _, b := range last[len(last)-n:] {
		if int(b) != n {
			return nil, ErrBlockPadding
		}
	}
	return last[:len(last)-n], nil
}
