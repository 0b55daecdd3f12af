package sandbox_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"signalbox/sandbox"
	"signalbox/sandbox/contacts"
	"signalbox/signalcore/model"
)

func TestClock(t *testing.T) {
	s := start(t, sandbox.Options{})
	anna, ben := link(t, s, "+12025550101", "Anna"), link(t, s, "+12025550102", "Ben")
	strikes := make(chan time.Time)
	clock := meet(t, s, "+12025550193", "Clock", contacts.ClockOf(time.Minute, func() contacts.Strikes {
		return contacts.Strikes{C: strikes, Stop: func() {}}
	}, anna.phone.ACI))
	at := time.Date(2026, 1, 2, 12, 30, 0, 0, time.UTC)

	strikes <- at
	require.Equal(t, "It is 12:30:00 UTC.", anna.takes(t, model.TypeMessage).Message.Text, "she did nothing for it")
	anna.tries(t, clock, text("Stop"))
	require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "The clock is still.")
	ben.tries(t, clock, text("what time is it?"))
	require.Contains(t, ben.takes(t, model.TypeMessage).Message.Text, "The clock strikes every 1m0s.")

	strikes <- at.Add(time.Minute)
	require.Equal(t, "It is 12:31:00 UTC.", ben.takes(t, model.TypeMessage).Message.Text)
	anna.tries(t, clock, text("start"))
	require.Contains(t, anna.takes(t, model.TypeMessage).Message.Text, "The clock strikes", "and nothing of 12:31")
	strikes <- at.Add(2 * time.Minute)
	require.Equal(t, "It is 12:32:00 UTC.", anna.takes(t, model.TypeMessage).Message.Text)
	require.Equal(t, "It is 12:32:00 UTC.", ben.takes(t, model.TypeMessage).Message.Text)
}
