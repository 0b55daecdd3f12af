package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
)

func TestEcho(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna := link(t, s, "+12025550101", "Anna")
	echo, err := s.AddContact("+12025550190", "Echo", contacts.Echo())
	require.NoError(t, err)
	_, err = s.AddContact("+12025550191", "Silent", contacts.Silent())
	require.NoError(t, err)
	for _, text := range []string{"one", "two", "three"} {
		anna.says(t, &member{phone: echo.Phone}, text)
		require.Equal(t, text, anna.hears(t))
	}
}
