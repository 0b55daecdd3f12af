package contacts

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"signalbox/sandbox/messenger"
	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/serviceid"
)

// DefaultClockEvery is how often the clock of a sandbox strikes.
const DefaultClockEvery = 30 * time.Second

// maxListeners bounds who the clock strikes for.
const maxListeners = 100

// Strikes are the times at which a clock strikes. Stop ends them.
type Strikes struct {
	C    <-chan time.Time
	Stop func()
}

// clock writes the time.
type clock struct {
	every   time.Duration
	strikes func() Strikes

	mu        sync.Mutex
	listeners map[serviceid.ServiceID]bool // false for who has had enough
}

// Clock writes every so often to those who are named, and to those who have written to it.
func Clock(every time.Duration, listeners ...serviceid.ServiceID) Behaviour {
	return ClockOf(every, func() Strikes {
		ticker := time.NewTicker(every)
		return Strikes{ticker.C, ticker.Stop}
	}, listeners...)
}

// ClockOf is Clock with a time of its own.
func ClockOf(every time.Duration, strikes func() Strikes, listeners ...serviceid.ServiceID) Behaviour {
	c := &clock{every: every, strikes: strikes, listeners: map[serviceid.ServiceID]bool{}}
	for _, who := range listeners {
		c.listeners[who] = true
	}
	return Behaviour{
		Name: "clock", Does: fmt.Sprintf("writes the time every %s, until told to stop", every), hear: c.hear, live: c.live,
		memory: c.memory, recall: c.recall,
	}
}

func (c *clock) memory() Memory {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := Memory{}
	for who, wanted := range c.listeners {
		out[who.String()] = wanted
	}
	return out
}

// recall passes over what is no service id.
func (c *clock) recall(m Memory) {
	for text, wanted := range m {
		if who, err := serviceid.Parse(text); err == nil {
			c.listen(who, wanted)
		}
	}
}

func (c *clock) live(ctx context.Context, p *Person) {
	strikes := c.strikes()
	defer strikes.Stop()
	for {
		select {
		case at := <-strikes.C:
			c.strike(p, at)
		case <-ctx.Done():
			return
		}
	}
}

// strike writes to all listeners. Who is gone hears nothing more.
func (c *clock) strike(p *Person, at time.Time) {
	for _, who := range c.audience() {
		if _, err := p.Say(who, "It is "+at.UTC().Format(time.TimeOnly)+" UTC."); err != nil {
			c.listen(who, false)
			p.world.Logger.Debug().Err(err).Str("to", who.Short()).Msg("sandbox: the clock is not heard")
		}
	}
}

func (c *clock) audience() []serviceid.ServiceID {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []serviceid.ServiceID
	for who, wanted := range c.listeners {
		if wanted {
			out = append(out, who)
		}
	}
	return out
}

func (c *clock) listen(who serviceid.ServiceID, wanted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.listeners[who]; known || len(c.listeners) < maxListeners {
		c.listeners[who] = wanted
	}
}

// hear takes orders. It says nothing in groups, where others would have to listen too.
func (c *clock) hear(p *Person, m messenger.Message) error {
	if m.Kind != content.KindMessage || m.Group != nil || m.Message.TimerUpdate {
		return nil
	}
	if strings.EqualFold(strings.TrimSpace(m.Message.Text), "stop") {
		c.listen(m.From.ServiceID, false)
		return p.answer(m, "The clock is still. Write start, and it goes on.")
	}
	c.listen(m.From.ServiceID, true)
	return p.answer(m, fmt.Sprintf("The clock strikes every %s. Write stop, and it is still.", c.every))
}
