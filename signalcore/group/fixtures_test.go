package group

import (
	"math/rand"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/signalpb/servicepb"
)

// person is someone with an account.
type person struct {
	Identity
	key profilekey.Key
}

func newPerson(random *rand.Rand) *person {
	var aci, pni uuid.UUID
	random.Read(aci[:])
	random.Read(pni[:])
	p := &person{Identity: Identity{ACI: serviceid.NewACI(aci), PNI: serviceid.NewPNI(pni)}}
	random.Read(p.key[:])
	return p
}

func (p *person) user(params *zkgroup.GroupSecretParams) user {
	return user{params.EncryptServiceID(p.ACI), params.EncryptServiceID(p.PNI)}
}

// presentation is what service takes for one.
func (p *person) presentation(params *zkgroup.GroupSecretParams) []byte {
	return append(params.EncryptServiceID(p.ACI), params.EncryptProfileKey(p.key, p.ACI)...)
}

// world is a group on a service, and people around it.
type world struct {
	t       testing.TB
	random  *rand.Rand
	params  *zkgroup.GroupSecretParams
	people  []*person
	service *service
	// state is the group by the changes alone.
	state State
}

func newWorld(t testing.TB, seed int64, people, size int, members ...int) *world {
	random := rand.New(rand.NewSource(seed))
	key, err := zkgroup.GenerateMasterKey(random)
	require.NoError(t, err)
	w := &world{t: t, random: random, params: zkgroup.DeriveGroupSecretParams(key)}
	for range people {
		w.people = append(w.people, newPerson(random))
	}
	creation := Creation{Title: "Hikers", Self: w.people[0].presentation(w.params)}
	for _, m := range members {
		creation.Members = append(creation.Members, w.candidate(m, RoleMember))
	}
	created, err := Create(w.params, w.people[0].Identity, creation, random)
	require.NoError(t, err)
	w.service, err = newService(w.params, w.people[0].user(w.params), created, size)
	require.NoError(t, err)
	w.state = w.fetched()
	return w
}

func (w *world) candidate(i int, role Role) Candidate {
	return Candidate{ServiceID: w.people[i].ACI, Presentation: w.people[i].presentation(w.params), Role: role}
}

// fetched is the group as the service has it.
func (w *world) fetched() State {
	s, err := Decrypt(w.service.group, w.params)
	require.NoError(w.t, err)
	return s
}

// send has someone make a revision, and follows it: the state by the change equals the service's.
func (w *world) send(who int, password []byte, actions *servicepb.GroupChange_Actions) (Change, error) {
	signed, err := w.service.modify(w.people[who].user(w.params), password, actions)
	if err != nil {
		return Change{}, err
	}
	change, err := ParseChange(signed, w.params, nil)
	require.NoError(w.t, err)
	before, err := w.state.Marshal()
	require.NoError(w.t, err)
	next, err := w.state.Apply(change)
	require.NoError(w.t, err)
	require.Equal(w.t, w.fetched().comparable(w.t), next.comparable(w.t))
	untouched, err := w.state.Marshal()
	require.NoError(w.t, err)
	require.Equal(w.t, before, untouched, "Apply changed the state that it was asked of")
	w.state = next
	return change, nil
}

// edit has someone wish something of the group.
func (w *world) edit(who int, wish func(*Edit) error) error {
	e, err := w.state.Edit(w.params, w.people[who].Identity, w.random)
	if err != nil {
		return err
	}
	if err := wish(e); err != nil {
		return err
	}
	actions, something := e.Actions()
	if !something {
		return nil
	}
	_, err = w.send(who, nil, actions)
	return err
}

// comparable is a state without the difference between no list and an empty one.
func (s State) comparable(t testing.TB) State {
	b, err := s.Marshal()
	require.NoError(t, err)
	out, err := Unmarshal(b)
	require.NoError(t, err)
	return out
}
