package signalcore

import (
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/model"
	"signalbox/signalcore/service"
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

// That the service was not reached is said once.
func TestWhyThereIsNoConnection(t *testing.T) {
	t.Parallel()
	refused := &service.NetworkError{Err: errors.New("connection refused")}
	require.Equal(t, "connection refused", errorText(refused))
	send := &service.NetworkError{Err: notConnectedError{errorText(refused)}}
	require.EqualError(t, send, "the service was not reached: not connected to the service: connection refused")
	lost := &service.NetworkError{Err: errors.New("connection lost"), MayHaveLeft: true}
	require.Equal(t, "no answer from the service: connection lost", errorText(lost))
	require.Empty(t, errorText(nil))
}
