package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows a person what is waited for: one line on a terminal, which tells how long already. Anywhere else it shows
// nothing. What else goes to the terminal meanwhile has to be written through it.
type progress struct {
	out     io.Writer
	palette palette
	shown   bool

	mu     sync.Mutex
	step   string // empty where nothing is waited for
	began  time.Time
	stop   chan struct{}
	ticker sync.WaitGroup
}

// tick is how often the line is drawn anew.
const tick = time.Second

const clearLine = "\r\x1b[K"

func newProgress(file *os.File) *progress {
	p := &progress{out: file, palette: newPalette(file), stop: make(chan struct{})}
	p.shown = term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	if p.shown {
		p.ticker.Go(p.run)
	}
	return p
}

// run redraws the line until the end.
func (p *progress) run() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// next says that what was waited for has come, and what is waited for now.
func (p *progress) next(step string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settle(p.palette.good("done"))
	p.step, p.began = step, time.Now()
	p.draw()
}

// end leaves the terminal to others; err is how it all went.
func (p *progress) end(err error) {
	p.mu.Lock()
	if err == nil {
		p.settle(p.palette.good("done"))
	} else {
		p.settle(p.palette.bad("failed"))
	}
	p.mu.Unlock()
	close(p.stop)
	p.ticker.Wait()
}

// settle writes the line for good.
func (p *progress) settle(outcome string) {
	if p.shown && p.step != "" {
		fmt.Fprintf(p.out, "%s%s: %s\n", clearLine, p.step, outcome)
	}
	p.step = ""
}

func (p *progress) draw() {
	if !p.shown || p.step == "" {
		return
	}
	fmt.Fprintf(p.out, "%s%s ...", clearLine, p.step)
	if waited := time.Since(p.began); waited >= tick {
		fmt.Fprint(p.out, " ", p.palette.faint(span(waited)))
	}
}

// Write puts other text above the line.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown && p.step != "" {
		if _, err := io.WriteString(p.out, clearLine); err != nil {
			return 0, err
		}
	}
	n, err := p.out.Write(text)
	p.draw()
	return n, err
}
