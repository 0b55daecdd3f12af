package poksho

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The encodings are those of libsignal rust/poksho/src/statement.rs, test_statement_encoding.
func TestStatementEncoding(t *testing.T) {
	for _, test := range []struct {
		statement *Statement
		want      []byte
	}{
		{new(Statement).Add("A", Product{"a", "G"}), []byte{1, 1, 1, 0, 0}},
		{new(Statement).Add("A", Product{"a", "G"}).Add("B", Product{"a", "H"}), []byte{2, 1, 1, 0, 0, 2, 1, 0, 3}},
		{new(Statement).Add("A", Product{"a", "G"}, Product{"b", "H"}), []byte{1, 1, 2, 0, 0, 1, 2}},
		{
			new(Statement).Add("A", Product{"a", "G"}, Product{"b", "H"}, Product{"c", "I"}).
				Add("B", Product{"c", "H"}, Product{"d", "I"}),
			[]byte{2, 1, 3, 0, 0, 1, 2, 2, 3, 4, 2, 2, 2, 3, 3},
		},
		{new(Statement).Add("G", Product{"a", "A"}), []byte{1, 0, 1, 0, 1}},
	} {
		require.NoError(t, test.statement.err)
		require.Equal(t, test.want, test.statement.describe())
	}
}

func TestStatementsThatCannotBeEncoded(t *testing.T) {
	many := make([]Product, 256)
	for i := range many {
		many[i] = Product{"a" + strconv.Itoa(i), "P"}
	}
	tooManyEquations, tooManyScalars, tooManyPoints := new(Statement), new(Statement), new(Statement)
	for i := range 256 {
		tooManyEquations.Add("A", Product{"a", "G"})
		tooManyScalars.Add("A", Product{"a" + strconv.Itoa(i), "G"})
		tooManyPoints.Add("A", Product{"a", "P" + strconv.Itoa(i)})
	}
	for name, statement := range map[string]*Statement{
		"nothing":            new(Statement),
		"no terms":           new(Statement).Add("A"),
		"too many terms":     new(Statement).Add("A", many...),
		"no left side":       new(Statement).Add("", Product{"a", "G"}),
		"no scalar":          new(Statement).Add("A", Product{"", "G"}),
		"no point":           new(Statement).Add("A", Product{"a", ""}),
		"too many equations": tooManyEquations,
		"too many scalars":   tooManyScalars,
		"too many points":    tooManyPoints,
	} {
		require.ErrorIs(t, statement.Verify(make([]byte, 64), nil, nil), ErrArguments, name)
	}
}
