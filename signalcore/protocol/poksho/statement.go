package poksho

import (
	"errors"
	"fmt"

	"signalbox/signalcore/protocol/ristretto"
)

var (
	// ErrArguments is returned for a statement that cannot be encoded, and for arguments that do not fit the statement:
	// a mistake of the caller.
	ErrArguments = errors.New("arguments do not fit the statement to be proven")
	// ErrFalse is returned by Prove when the statement does not hold for its arguments.
	ErrFalse = errors.New("statement to be proven does not hold")
	// ErrVerification is returned for a proof or signature that does not verify, or cannot be parsed.
	ErrVerification = errors.New("proof does not verify")
)

// generator is the name of the group's generator in every statement, with index 0.
const generator = "G"

// maxCount bounds equations, terms of one, scalars and points: each count is a byte of the statement's encoding.
const maxCount = 255

// Product is one term of an equation, the product of a scalar and a point, by their names.
type Product struct{ Scalar, Point string }

// Scalars are a statement's secrets by their names: the witness.
type Scalars map[string]ristretto.Scalar

// Points are a statement's points by their names, but for G, which is the group's generator.
type Points map[string]ristretto.Point

// Statement is a system of equations: on each left side a point, on each right one a sum of scalars times points. The
// names stand for values that Prove and Verify are given; in the encoding they are numbered in the order of their
// first use (libsignal rust/poksho/src/statement.rs). The zero Statement is empty and ready for use. Once made, it can
// be used by several goroutines.
type Statement struct {
	equations []equation
	scalars   names
	points    names // without the generator
	err       error // the first mistake in Add, told by Prove and Verify
}

type equation struct {
	left  int
	right []term
}

// term holds indices: of a scalar, and of a point with the generator as 0.
type term struct{ scalar, point int }

// Add appends the equation left = sum of the products, and returns the statement. A mistake (an empty name, more than
// 255 of something) comes out as ErrArguments when the statement is used.
func (s *Statement) Add(left string, right ...Product) *Statement {
	if len(right) == 0 || len(right) > maxCount || len(s.equations) == maxCount {
		s.fail(fmt.Sprintf("equation %d has %d terms", len(s.equations)+1, len(right)))
		return s
	}
	next := equation{left: s.point(left)}
	for _, product := range right {
		index := s.scalars.index(product.Scalar)
		next.right = append(next.right, term{scalar: index, point: s.point(product.Point)})
		if product.Scalar == "" {
			s.fail("empty name")
		}
	}
	if len(s.scalars.order) > maxCount || len(s.points.order) >= maxCount {
		s.fail("too many names")
	}
	s.equations = append(s.equations, next)
	return s
}

func (s *Statement) point(name string) int {
	switch name {
	case generator:
		return 0
	case "":
		s.fail("empty name")
	}
	return s.points.index(name) + 1
}

func (s *Statement) fail(what string) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrArguments, what)
	}
}

// describe encodes the equations by their indices.
func (s *Statement) describe() []byte {
	out := []byte{byte(len(s.equations))}
	for _, e := range s.equations {
		out = append(out, byte(e.left), byte(len(e.right)))
		for _, t := range e.right {
			out = append(out, byte(t.scalar), byte(t.point))
		}
	}
	return out
}

// arrangeScalars puts the values in the order of the names.
func (s *Statement) arrangeScalars(values Scalars) ([]ristretto.Scalar, error) {
	if len(values) != len(s.scalars.order) {
		return nil, fmt.Errorf("%w: %d scalars for %d", ErrArguments, len(values), len(s.scalars.order))
	}
	out := make([]ristretto.Scalar, 0, len(values))
	for _, name := range s.scalars.order {
		value, ok := values[name]
		if !ok {
			return nil, fmt.Errorf("%w: no scalar %q", ErrArguments, name)
		}
		out = append(out, value)
	}
	return out, nil
}

// arrangePoints puts the generator and the values in the order of the names.
func (s *Statement) arrangePoints(values Points) ([]ristretto.Point, error) {
	if s.err != nil {
		return nil, s.err
	}
	if len(s.equations) == 0 {
		return nil, fmt.Errorf("%w: no equation", ErrArguments)
	}
	if len(values) != len(s.points.order) {
		return nil, fmt.Errorf("%w: %d points for %d", ErrArguments, len(values), len(s.points.order))
	}
	out := append(make([]ristretto.Point, 0, len(values)+1), ristretto.Base())
	for _, name := range s.points.order {
		value, ok := values[name]
		if !ok {
			return nil, fmt.Errorf("%w: no point %q", ErrArguments, name)
		}
		out = append(out, value)
	}
	return out, nil
}

// names numbers names from 0 in the order of their first use.
type names struct {
	order []string
	known map[string]int
}

func (n *names) index(name string) int {
	if i, ok := n.known[name]; ok {
		return i
	}
	if n.known == nil {
		n.known = make(map[string]int)
	}
	n.known[name] = len(n.order)
	n.order = append(n.order, name)
	return len(n.order) - 1
}
