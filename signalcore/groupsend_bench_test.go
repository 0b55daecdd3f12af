package signalcore

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// stranger makes a member with one device, of whom nothing exists but keys, and opens a session with it.
func (f *flock) stranger(p *party) {
	id := serviceid.NewACI(uuid.New())
	f.state.Members = append(f.state.Members, group.Member{ACI: id, Role: group.RoleMember})
	identity := newKeys(f.t)
	oneTime, err := prekey.GenerateEC(rand.Reader, 1, 1)
	require.NoError(f.t, err)
	signed, err := prekey.GenerateSigned(rand.Reader, identity.Private, 1, time.Now())
	require.NoError(f.t, err)
	kyber, err := prekey.GenerateKyber(rand.Reader, identity.Private, 1, 1, time.Now())
	require.NoError(f.t, err)
	public := oneTime[0].Public()
	p.update(func(tx *store.Tx) error {
		e := newEncrypter(tx, p.accounts.get(), rand.Reader)
		_, err := e.open(id, []prekey.Bundle{{
			RegistrationID: 7, DeviceID: 1, Identity: identity.Public,
			OneTime: &public, Signed: signed.Public(), Kyber: kyber[0].Public(),
		}})
		return err
	})
}

// BenchmarkSendToGroup sends to groups of all sizes, whose members have the key, over a service that only answers.
func BenchmarkSendToGroup(b *testing.B) {
	for _, size := range []int{10, 100, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			phone, desk := siblings(b)
			f := newFlock(b, desk)
			for range size - 1 {
				f.stranger(desk)
			}
			f.tell(desk)
			line := desk.onlineWith(func(c *chat) { c.answer = f.service(func(*submission) reply { return through }) })
			line.hands(phone)
			drained := make(chan struct{})
			b.Cleanup(func() { line.stop(); close(line.sent); <-drained })
			go func() {
				defer close(drained)
				for range line.sent { //nolint:revive // they are of no interest
				}
			}()
			desk.sends(message(f.to(), "the key"))
			require.Len(b, desk.groupSender(f.id()).GetShared(), size-1)
			for b.Loop() {
				desk.sends(message(f.to(), "hello"))
			}
		})
	}
}

func (p *party) groupSender(id []byte) (out *storepb.GroupSender) {
	p.view(func(tx *store.Tx) (err error) {
		out, err = tx.GroupSender(id)
		return err
	})
	return out
}
