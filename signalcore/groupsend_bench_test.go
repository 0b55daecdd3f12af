package signalcore

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/group"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/grpcpb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// crowd is a group of which nobody exists but one, at a service that only answers.
type crowd struct {
	t     testing.TB
	state group.State
}

// stranger makes a member with one device, of whom nothing exists but keys, and opens a session with it.
func (f *crowd) stranger(p *party) {
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
			_, desk := siblings(b)
			c := desk.world.newClub(b, desk)
			f := &crowd{t: b, state: c.state()}
			for range size - 1 {
				f.stranger(desk)
			}
			c.knownAs(f.state, desk)
			f.endorse(c, desk)
			line := desk.onlineWith(func(c *chat) { c.answer = takesAll })
			line.drain()
			desk.sends(message(c.to(), "the key"))
			require.Len(b, desk.groupSender(c.id()).GetShared(), size-1)
			for b.Loop() {
				desk.sends(message(c.to(), "hello"))
			}
		})
	}
}

// endorse has the party's own service issue endorsements of all.
func (f *crowd) endorse(c *club, p *party) {
	f.t.Helper()
	zk, err := zkgroup.GenerateServerSecretParams(rand.Reader)
	require.NoError(f.t, err)
	var members [][]byte
	for _, id := range f.state.MemberIDs() {
		members = append(members, c.params.EncryptServiceID(id))
	}
	now := p.clock.Now()
	response, err := zk.GroupSendKeyPair(zkgroup.GroupSendExpiration(now)).IssueGroupSendEndorsements(rand.Reader, members)
	require.NoError(f.t, err)
	given, err := zk.PublicParams().ReceiveGroupSendEndorsements(response, f.state.MemberIDs(), p.aci(), c.params, now)
	require.NoError(f.t, err)
	p.update(func(tx *store.Tx) error {
		return tx.PutGroupEndorsements(c.id(), endorsementRecordOf(given, f.state.Revision))
	})
}

// takesAll answers messages as the service does for people that it knows.
func takesAll(s *submission) reply {
	if s.Together == nil {
		return reply{status: http.StatusOK, body: `{"needsSync":false}`}
	}
	body, _ := proto.Marshal(&grpcpb.SendMultiRecipientMessageResponse{
		Response: &grpcpb.SendMultiRecipientMessageResponse_Success{Success: &grpcpb.MultiRecipientSuccess{}},
	})
	return reply{status: http.StatusOK, body: string(body)}
}

func (p *party) groupSender(id []byte) (out *storepb.GroupSender) {
	p.view(func(tx *store.Tx) (err error) {
		out, err = tx.GroupSender(id)
		return err
	})
	return out
}
