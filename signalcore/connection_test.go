package signalcore

import (
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
)

// A command may come before run has had its first turn.
func TestStateBeforeTheFirstConnection(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		account *account
		state   model.ConnectionState
	}{
		"no account": {nil, model.StateNotLinked},
		"unlinked":   {&account{unlinked: true, unlinkedWhy: "removed by the phone"}, model.StateNotLinked},
		"linked":     {&account{}, model.StateConnecting},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			accounts := newAccountHolder()
			if test.account != nil {
				accounts.set(test.account)
			}
			state, reason, _ := newConnector(nil, accounts, zerolog.Nop(), time.Now).snapshot()
			require.Equal(t, test.state, state)
			require.Equal(t, test.state == model.StateNotLinked, reason != "")
		})
	}
}
