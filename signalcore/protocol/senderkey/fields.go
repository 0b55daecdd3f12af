package senderkey

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// field is one field of a stored protobuf: bytes or varint, by its kind.
type field struct {
	number protowire.Number
	bytes  []byte
	varint uint64
}

func (f field) uint32() (uint32, error) {
	if f.varint > math.MaxUint32 {
		return 0, fmt.Errorf("%w: field %d", ErrCorrupt, f.number)
	}
	return uint32(f.varint), nil
}

// fields calls each for every field of a protobuf, all of which hold bytes or varints.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrCorrupt, protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			return fmt.Errorf("%w: field %d", ErrCorrupt, number)
		}
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrCorrupt, protowire.ParseError(n))
		}
		b = b[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}
