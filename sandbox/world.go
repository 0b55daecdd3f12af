package sandbox

import (
	"context"
	"fmt"

	"signalbox/sandbox/contacts"
	"signalbox/sandbox/messenger"
	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/curve"
)

// inhabit makes the world for the phones that the sandbox plays. They make their calls here, in the process, on routes
// without faults: what is tried out on a client does not befall those it talks to.
func (s *Service) inhabit() error {
	root, err := curve.ParsePublicKey(s.authority.TrustRoot())
	if err != nil {
		return fmt.Errorf("sandbox: %w", err)
	}
	inside := wire.NewRouter(s.options.Logger)
	inside.After(func(*wire.Request) { s.keeper.note() })
	s.Accounts.Routes(inside)
	s.Messages.Routes(inside)
	s.Storage.ChatRoutes(inside)
	s.Storage.Routes(inside)
	s.Groups.Routes(inside)
	call := func(ctx context.Context, r *wire.Request) *wire.Response {
		r.Inside = true
		return inside.Route(ctx, r)
	}
	s.world = contacts.World{
		World: messenger.World{
			Book: s.Accounts, Messages: s.Messages, CDN: s.CDN, Call: call, TrustRoot: root,
			ZK: s.authority.ZK.PublicParams(), Now: s.options.Now, Rand: s.options.Rand, Logger: s.options.Logger,
		},
		Neighbours: &contacts.Neighbours{},
	}
	return nil
}

// World is where others than the sandbox's own people can live, and make calls in the process.
func (s *Service) World() contacts.World { return s.world }
