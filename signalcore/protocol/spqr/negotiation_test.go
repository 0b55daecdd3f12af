package spqr

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func start(t *testing.T, direction Direction, version, minVersion Version) *party {
	t.Helper()
	state, err := InitialState(Params{Direction: direction, Version: version, MinVersion: minVersion, AuthKey: someKey})
	require.NoError(t, err)
	return &party{state: state, random: newRandom(byte(direction))}
}

func TestParams(t *testing.T) {
	tests := map[string]Params{
		"unknown version":   {Version: 2, AuthKey: someKey},
		"minimum above":     {Version: V0, MinVersion: V1, AuthKey: someKey},
		"unknown direction": {Version: V1, Direction: 2, AuthKey: someKey},
		"short key":         {Version: V1, AuthKey: someKey[1:]},
		"no key":            {Version: V1},
		"unknown minimum":   {Version: V1, MinVersion: 7, AuthKey: someKey},
	}
	for name, params := range tests {
		t.Run(name, func(t *testing.T) {
			state, err := InitialState(params)
			require.ErrorIs(t, err, ErrParams)
			require.Nil(t, state)
		})
	}
}

func TestVersionZero(t *testing.T) {
	state, err := InitialState(Params{Version: V0})
	require.NoError(t, err)
	require.Empty(t, state)
	sent, err := Send(newRandom(1), state)
	require.NoError(t, err)
	require.Zero(t, sent)
	received, err := Recv(state, nil)
	require.NoError(t, err)
	require.Zero(t, received)
	_, v1 := start(t, AToB, V1, V1).sendAny(t)
	received, err = Recv(state, v1)
	require.NoError(t, err, "a higher version will come down to ours")
	require.Zero(t, received)
}

func (p *party) sendAny(t *testing.T) (key, message []byte) {
	t.Helper()
	sent, err := Send(p.random, p.state)
	require.NoError(t, err)
	p.state = sent.State
	return sent.Key, sent.Message
}

// TestStepDown has each side refuse or accept version 0, before and after the first message of version 1.
func TestStepDown(t *testing.T) {
	for _, direction := range []Direction{AToB, BToA} {
		tolerant, firm := start(t, direction, V1, V0), start(t, direction, V1, V1)
		_, err := Recv(firm.state, nil)
		require.ErrorIs(t, err, ErrMinimumVersion)
		received, err := Recv(tolerant.state, nil)
		require.NoError(t, err)
		require.Zero(t, received, "now at version 0")

		_, message := start(t, 1-direction, V1, V0).sendAny(t)
		received, err = Recv(tolerant.state, message)
		require.NoError(t, err)
		require.Nil(t, received.Key)
		_, err = Recv(received.State, nil)
		require.ErrorIs(t, err, ErrVersion, "the version is settled")
	}
}

// TestKeysFromFirstReceipt shows that with a minimum of version 0 there are no keys until the other side has proved to
// speak version 1; what was sent before can still be received, without key.
func TestKeysFromFirstReceipt(t *testing.T) {
	a, b := start(t, AToB, V1, V0), start(t, BToA, V1, V0)
	keyA1, a1 := a.sendAny(t)
	keyA2, a2 := a.sendAny(t)
	keyB1, b1 := b.sendAny(t)
	require.Nil(t, keyA1)
	require.Nil(t, keyA2)
	require.Nil(t, keyB1)
	a.receive(t, inFlight{b1, nil})
	b.receive(t, inFlight{a2, nil})
	a3, b2 := a.send(t), b.send(t)
	a.receive(t, b2)
	b.receive(t, a3)
	b.receive(t, inFlight{a1, nil})
}

// TestMixedMinimum shows that a side with a minimum of version 1 sends keys from the start.
func TestMixedMinimum(t *testing.T) {
	for _, direction := range []Direction{AToB, BToA} {
		firm, tolerant := start(t, direction, V1, V1), start(t, 1-direction, V1, V0)
		key, _ := tolerant.sendAny(t)
		require.Nil(t, key)
		tolerant.receive(t, firm.send(t))
		firm.receive(t, tolerant.send(t))
	}
}

func TestHigherVersionIsIgnored(t *testing.T) {
	for version := 2; version < 256; version++ {
		p := start(t, AToB, V1, V1)
		received, err := Recv(p.state, []byte{byte(version), 1, 2, 3})
		require.NoError(t, err)
		require.Equal(t, Received{State: p.state}, received)
	}
}
