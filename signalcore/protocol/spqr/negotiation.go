package spqr

import "io"

func initialState(params Params) (State, error) { return nil, ErrParams }

func send(random io.Reader, state State) (Sent, error) { return Sent{}, ErrState }

func receive(state State, message []byte) (Received, error) { return Received{}, ErrState }
