package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows a person what takes long: one line on a terminal, which is replaced. Anywhere else it shows nothing.
// What else goes to the terminal meanwhile has to be written through it.
//
// The line is made of a step, which has an outcome that stays, and of what a look at the matter gives; or of either alone.
type progress struct {
	file    *os.File
	palette palette
	shown   bool

	looking sync.Mutex // held while look is called; never taken with mu held
	look    func() string

	mu     sync.Mutex
	step   string // empty where nothing is waited for
	began  time.Time
	seen   string // what the last look gave
	drawn  string // what stands in the line now
	stop   chan struct{}
	ticker sync.WaitGroup
}

const (
	// tick is how often the line is drawn anew.
	tick = 250 * time.Millisecond
	// noticeable is how long something may take without a word.
	noticeable = time.Second
)

const clearLine = "\r\x1b[K"

func newProgress(file *os.File) *progress {
	p := &progress{file: file, palette: newPalette(file), stop: make(chan struct{})}
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
			p.glance()
		case <-p.stop:
			return
		}
	}
}

// glance looks while what is written meanwhile need not wait: the look may wait for those who write.
func (p *progress) glance() {
	p.looking.Lock()
	defer p.looking.Unlock()
	seen := ""
	if p.look != nil {
		seen = p.look()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = seen
	p.draw()
}

// follow has the line show what look gives, from the next tick on; nil takes it away, and then look runs no more. It must
// not be called by look.
func (p *progress) follow(look func() string) {
	p.looking.Lock()
	defer p.looking.Unlock()
	p.look = look
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen = ""
	p.draw()
}

// next says that what was waited for is done, and what is waited for now.
func (p *progress) next(step string) {
	p.settle(p.palette.good("done"))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.began = step, time.Now()
	p.draw()
}

// settle says how the step went that was waited for, if there is one.
func (p *progress) settle(outcome string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown && p.step != "" {
		p.wipe()
		fmt.Fprintf(p.file, "%s: %s\n", p.step, outcome)
	}
	p.step = ""
}

// end leaves the terminal to others.
func (p *progress) end() {
	p.mu.Lock()
	p.step = ""
	p.mu.Unlock()
	p.follow(nil)
	close(p.stop)
	p.ticker.Wait()
}

// draw makes the line what it should be.
func (p *progress) draw() {
	if !p.shown || !foreground(p.file) {
		p.drawn = "" // whoever has the terminal has written over it
		return
	}
	line := p.line()
	if line == p.drawn {
		return
	}
	fmt.Fprint(p.file, clearLine, line)
	p.drawn = line
}

// line is what should be shown, within the terminal's width: what wraps could not be replaced.
func (p *progress) line() string {
	text, waited := p.seen, ""
	if p.step != "" {
		text = p.step + " ..."
		if p.seen != "" {
			text += " " + p.seen
		}
		if since := time.Since(p.began); since >= noticeable {
			waited = " " + span(since)
		}
	}
	width, _, err := term.GetSize(int(p.file.Fd()))
	if err != nil || width <= 0 {
		width = len(text) + len(waited) + 1
	}
	text = cut(text, width-1)
	waited = cut(waited, width-1-len([]rune(text)))
	if waited == "" {
		return text
	}
	return text + p.palette.faint(waited)
}

func cut(text string, width int) string {
	runes := []rune(text)
	return string(runes[:max(0, min(len(runes), width))])
}

// wipe takes the line away.
func (p *progress) wipe() {
	if p.drawn != "" {
		fmt.Fprint(p.file, clearLine)
	}
	p.drawn = ""
}

// Write puts other text above the line.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	n, err := p.file.Write(text)
	if p.step != "" {
		p.draw() // else it is drawn at the next look: it may be no longer so
	}
	return n, err
}
