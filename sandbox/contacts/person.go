// Package contacts are the people who live in the sandbox: accounts that answer by themselves. Each has a phone, reads
// and writes with its messenger, and behaves in one way: echo, clock, silent or moody.
//
// They do not answer each other, or two of them in one group would never come to an end.
package contacts

import (
	"context"
	"fmt"
	"sync"

	"signalbox/sandbox/messenger"
	"signalbox/sandbox/phone"
	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/servicepb"
)

// World is where people live.
type World struct {
	messenger.World
	// Neighbours are the people who know each other for what they are; nil for somebody who lives alone.
	Neighbours *Neighbours
}

// Neighbours are the people of one sandbox. It is safe for concurrent use.
type Neighbours struct {
	mu  sync.Mutex
	all map[serviceid.ServiceID]bool
}

func (n *Neighbours) add(who serviceid.ServiceID) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.all == nil {
		n.all = map[serviceid.ServiceID]bool{}
	}
	n.all[who] = true
}

func (n *Neighbours) has(who serviceid.ServiceID) bool {
	if n == nil {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all[who]
}

// Behaviour is how somebody behaves. It is for one person.
type Behaviour struct {
	// Name is one word, Does a line for people.
	Name, Does string

	// hear is told of what others say; nil for somebody who does not care.
	hear func(*Person, messenger.Message) error
	// live runs beside it until the context ends; nil for nothing.
	live func(context.Context, *Person)
	// memory is what is known of others, and recall takes that up again; nil for a behaviour without one.
	memory func() Memory
	recall func(Memory)
}

// Memory is what somebody knows of others, by their service ids: whether they want to hear of them.
type Memory map[string]bool

// Silent never answers, and sends no receipts.
func Silent() Behaviour {
	return Behaviour{Name: "silent", Does: "never answers, and sends no receipts"}
}

// Person is an account that answers. It is safe for concurrent use.
type Person struct {
	*phone.Phone
	*messenger.Messenger
	world     World
	behaviour Behaviour
	attendant *phone.Attendant
}

// New makes a person of a phone's account. They live from Start on, while Run does.
func New(p *phone.Phone, world World, behaviour Behaviour) *Person {
	m := p.Messenger(world.World)
	world.Neighbours.add(p.ACI)
	return &Person{Phone: p, Messenger: m, world: world, behaviour: behaviour, attendant: p.Attend(m)}
}

// Attendant serves the person's linked devices.
func (p *Person) Attendant() *phone.Attendant { return p.attendant }

// Memory is what the person knows, to be stored; Recall takes it up again, before Run.
func (p *Person) Memory() Memory {
	if p.behaviour.memory == nil {
		return nil
	}
	return p.behaviour.memory()
}

// Recall is for what Memory was.
func (p *Person) Recall(m Memory) {
	if p.behaviour.recall != nil {
		p.behaviour.recall(m)
	}
}

// Does says what the person does, for people.
func (p *Person) Does() string { return p.behaviour.Does }

// Run reads and answers until ctx ends.
func (p *Person) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	if p.behaviour.live != nil {
		beside.Go(func() { p.behaviour.live(ctx, p) })
	}
	p.Messenger.Run(ctx, p.hear)
	cancel()
	beside.Wait()
}

func (p *Person) hear(m messenger.Message) error {
	switch {
	case m.From.ServiceID == p.ACI:
		return p.attendant.Hear(m)
	case p.behaviour.hear == nil, p.world.Neighbours.has(m.From.ServiceID):
		return nil
	}
	return p.behaviour.hear(p, m)
}

// Say has the person write to somebody, and returns the message's timestamp.
func (p *Person) Say(to serviceid.ServiceID, text string) (uint64, error) {
	timestamp := p.Timestamp()
	message, err := content.NewMessage(p.common(timestamp, nil), content.Message{Text: text})
	if err != nil {
		return 0, fmt.Errorf("say: %w", err)
	}
	if err := p.Send(to, messenger.Outgoing{Timestamp: timestamp, Content: message}); err != nil {
		return 0, fmt.Errorf("say: %w", err)
	}
	return timestamp, nil
}

// SayToGroup has the person write to a group that they are in, and returns the message's timestamp.
func (p *Person) SayToGroup(group *content.Group, text string) (uint64, error) {
	state, err := p.Group(group)
	if err != nil {
		return 0, fmt.Errorf("say: %w", err)
	}
	timestamp := p.Timestamp()
	common := p.common(timestamp, nil)
	common.Group = &content.Group{MasterKey: group.MasterKey, Revision: state.Revision}
	message, err := content.NewMessage(common, content.Message{Text: text})
	if err != nil {
		return 0, fmt.Errorf("say: %w", err)
	}
	if err := p.SendToGroup(common.Group, messenger.Outgoing{Timestamp: timestamp, Content: message}); err != nil {
		return 0, fmt.Errorf("say: %w", err)
	}
	return timestamp, nil
}

// common is what all messages carry; in a conversation as that of the message which is answered, nil for none.
func (p *Person) common(timestamp uint64, to *messenger.Message) content.Common {
	common := content.Common{Timestamp: timestamp, ProfileKey: p.ProfileKey[:]}
	if to != nil {
		common.Timer = to.Timer
		if to.Group != nil {
			common.Group = &content.Group{MasterKey: to.Group.MasterKey, Revision: to.Group.Revision}
		}
	}
	return common
}

// reply sends an event into the conversation of a message, and returns its timestamp.
func (p *Person) reply(to messenger.Message, event content.Event) (uint64, error) {
	timestamp := p.Timestamp()
	common := p.common(timestamp, &to)
	if to.Group != nil { // the others may have gone on since
		state, err := p.Group(to.Group)
		if err != nil {
			return 0, err
		}
		common.Group.Revision = state.Revision
	}
	answer, err := content.New(common, &event)
	if err != nil {
		return 0, err
	}
	hint := sealedsender.Resendable
	return timestamp, p.into(to, messenger.Outgoing{Timestamp: timestamp, Content: answer, Hint: hint})
}

// into sends into the conversation of a message.
func (p *Person) into(conversation messenger.Message, o messenger.Outgoing) error {
	if conversation.Group != nil {
		return p.SendToGroup(conversation.Group, o)
	}
	return p.Send(conversation.From.ServiceID, o)
}

// attend shows the sender of a message that it has arrived, that it was read, and that an answer is being written.
func (p *Person) attend(m messenger.Message) error {
	for _, kind := range []content.ReceiptType{content.ReceiptDelivery, content.ReceiptRead} {
		receipt := content.NewReceipt(kind, []uint64{m.Timestamp})
		if err := p.whisper(m.From.ServiceID, receipt); err != nil {
			return err
		}
	}
	timestamp := p.Timestamp()
	typing := content.Typing{Started: true}
	if m.Group != nil {
		typing.GroupID = m.Group.ID()
	}
	return p.into(m, messenger.Outgoing{
		Timestamp: timestamp, Hint: sealedsender.Implicit, Online: true, Content: content.NewTyping(timestamp, typing),
	})
}

// whisper sends what nobody would miss.
func (p *Person) whisper(to serviceid.ServiceID, c *servicepb.Content) error {
	return p.Send(to, messenger.Outgoing{Timestamp: p.Timestamp(), Content: c, Hint: sealedsender.Implicit})
}

// answer shows that a message was read, and answers with a text.
func (p *Person) answer(m messenger.Message, text string) error {
	if err := p.attend(m); err != nil {
		return err
	}
	_, err := p.reply(m, content.Event{Message: &content.Message{Text: text}})
	return err
}
