package main

import (
	"fmt"
	"slices"
	"time"

	"signalbox/signalcore/model"
)

const (
	// largeTransfer is the size from which attachments are shown.
	largeTransfer = 5 << 20
	// rateOver is the time over which their rate is taken.
	rateOver = 4 * time.Second
)

// meter sums up the large attachments that go one way.
type meter struct {
	outgoing bool
	done     map[uint64]int64 // of each at the last look
	moved    int64            // since the first look
	samples  []sample         // of moved, the oldest first
}

type sample struct {
	at    time.Time
	moved int64
}

// line is what is shown of them, empty where there are none.
func (m *meter) line(under []model.Transfer, now time.Time) string {
	var sum model.Transfer
	moving, preparing := make(map[uint64]int64), 0
	for _, t := range under {
		if t.Outgoing != m.outgoing || t.Size < largeTransfer {
			continue
		}
		if t.Preparing {
			preparing++
		} else {
			moving[t.ID] = t.Done
		}
		sum.Size, sum.Done = sum.Size+t.Size, sum.Done+t.Done
	}
	m.measure(moving, now)
	what := "Receiving"
	if m.outgoing {
		what = "Sending"
	}
	if files := len(moving) + preparing; files > 1 {
		what = fmt.Sprintf("%s %d files,", what, files)
	}
	switch {
	case len(moving) > 0:
		return fmt.Sprintf("%s %.1f of %.1f MiB, %d%%%s", what, mebi(sum.Done), mebi(sum.Size), 100*sum.Done/sum.Size, m.rate())
	case preparing > 0:
		return fmt.Sprintf("%s %.1f MiB: encrypting", what, mebi(sum.Size))
	}
	return ""
}

// measure takes a sample. What goes on from an earlier place has not moved.
func (m *meter) measure(moving map[uint64]int64, now time.Time) {
	if len(moving) == 0 {
		m.done, m.samples = nil, nil
		return
	}
	for id, done := range moving {
		m.moved += max(0, done-m.done[id])
	}
	m.done = moving
	m.samples = append(m.samples, sample{now, m.moved})
	m.samples = slices.DeleteFunc(m.samples, func(s sample) bool { return now.Sub(s.at) > rateOver })
}

// rate is what has moved lately in each second, once that can be said.
func (m *meter) rate() string {
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	over := last.at.Sub(first.at)
	if over < noticeable {
		return ""
	}
	return fmt.Sprintf(", %.1f MiB/s", mebi(last.moved-first.moved)/over.Seconds())
}

func mebi(bytes int64) float64 { return float64(bytes) / (1 << 20) }
