package doctest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// FreePort is one that nobody listens at, and where nobody will soon: it is below those that the system
// gives to whoever connects or does not ask for one.
func FreePort() (string, error) {
	const first, count, tries = 10_000, 20_000, 100
	var err error
	for range tries {
		var listener net.Listener
		if listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(count)))); err != nil {
			continue
		}
		_, port, splitErr := net.SplitHostPort(listener.Addr().String())
		return port, errors.Join(splitErr, listener.Close())
	}
	return "", fmt.Errorf("doctest: %w", err)
}
