package control

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is taken keeps its bounds, what is not has an error for people.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"number":"+12025550102","name":"Ben"}`, `{"number":"+12025550102","uri":"sgnl://linkdevice?uuid=a&pub_key=b"}`,
		`{"to":"+12025550102","text":"Hello"}`, `{"number":7}`, `{} {}`, `null`, `[`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var account newAccount
		if err := read(body, &account); err == nil {
			require.LessOrEqual(t, len(account.Number), 16)
			require.NotEmpty(t, account.Name)
		} else {
			require.ErrorIs(t, err, ErrRequest)
		}
		var words saying
		if err := read(body, &words); err == nil {
			require.LessOrEqual(t, len(words.Text), maxText)
		} else {
			require.ErrorIs(t, err, ErrRequest)
		}
		var code scan
		if err := read(body, &code); err == nil {
			require.LessOrEqual(t, len(code.URI), maxURI)
		} else {
			require.ErrorIs(t, err, ErrRequest)
		}
	})
}
