package zkgroup

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
)

// serialize is libsignal's form of the key pair, which nothing here stores.
func (k *GroupSendKeyPair) serialize() []byte {
	return appendUint64(k.keys.Append([]byte{0}), k.expires)
}

// libsignals is its form of an endorsement.
func (e GroupSendEndorsement) libsignals() []byte { return append([]byte{0}, e[:]...) }

func encryptAll(group *GroupSecretParams, members []serviceid.ServiceID) [][]byte {
	out := make([][]byte, len(members))
	for i, member := range members {
		out[i] = group.EncryptServiceID(member)
	}
	return out
}

func without(members []serviceid.ServiceID, unwanted ...serviceid.ServiceID) []serviceid.ServiceID {
	return slices.DeleteFunc(slices.Clone(members), func(id serviceid.ServiceID) bool {
		return slices.Contains(unwanted, id)
	})
}

func TestEndorsementVectors(t *testing.T) {
	for _, server := range loadVectors(t).Servers {
		secret, public := server.params(t)
		for _, v := range server.Endorsements {
			group := DeriveGroupSecretParams(MasterKey(v.Master))
			members := v.members()
			keys := secret.GroupSendKeyPair(seconds(v.Expires))
			equalBytes(t, v.Key, keys.serialize())
			response, err := keys.IssueGroupSendEndorsements(v.Random.reader(), encryptAll(group, members))
			require.NoError(t, err)
			equalBytes(t, v.Response, response)

			received, err := public.ReceiveGroupSendEndorsements(v.Response, members, v.Self.ServiceID, group, seconds(v.Now))
			require.NoError(t, err)
			require.Equal(t, v.Expires, received.Expires.Unix())
			require.Len(t, received.Members, len(members))
			ordered, expires, err := public.ReceiveGroupSendEndorsementsOf(
				v.Response, encryptAll(group, members), seconds(v.Now))
			require.NoError(t, err)
			require.Equal(t, received.Expires, expires)
			for i, member := range members {
				endorsement := received.Members[member]
				equalBytes(t, v.Endorsements[i], endorsement.libsignals())
				require.True(t, endorsement == ordered[i])
				token, err := endorsement.Token(group, received.Expires)
				require.NoError(t, err)
				equalBytes(t, v.Tokens[i], token)
				require.NoError(t, keys.VerifyGroupSendToken(token, members[i:i+1], seconds(v.Now)))
			}
			equalBytes(t, v.Combined, received.Combined.libsignals())
			token, err := received.Combined.Token(group, received.Expires)
			require.NoError(t, err)
			equalBytes(t, v.Token, token)
			require.NoError(t, keys.VerifyGroupSendToken(token, without(members, v.Self.ServiceID), seconds(v.Now)))
			at, err := GroupSendTokenExpires(token)
			require.NoError(t, err)
			require.Equal(t, received.Expires, at)
		}
	}
}

func TestEndorsementsOfSomeMembers(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	v := server.Endorsements[3]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	members := v.members()
	keys := secret.GroupSendKeyPair(seconds(v.Expires))
	received, err := public.ReceiveGroupSendEndorsements(v.Response, members, v.Self.ServiceID, group, seconds(v.Now))
	require.NoError(t, err)
	verify := func(e GroupSendEndorsement, to []serviceid.ServiceID) error {
		token, err := e.Token(group, received.Expires)
		require.NoError(t, err)
		return keys.VerifyGroupSendToken(token, to, seconds(v.Now))
	}
	of := func(ids ...serviceid.ServiceID) (out []GroupSendEndorsement) {
		for _, id := range ids {
			out = append(out, received.Members[id])
		}
		return out
	}

	three, err := CombineEndorsements(of(members[3], members[1], members[2])...)
	require.NoError(t, err)
	require.NoError(t, verify(three, members[1:4]))
	require.ErrorIs(t, verify(three, members[1:5]), ErrVerification)
	require.ErrorIs(t, verify(three, members[1:3]), ErrVerification)

	fewer, err := received.Combined.Without(of(members[1], members[4])...)
	require.NoError(t, err)
	require.NoError(t, verify(fewer, without(members, members[0], members[1], members[4])))
	same, err := received.Combined.Without()
	require.NoError(t, err)
	require.True(t, same == received.Combined)
	nobody, err := three.Without(three)
	require.NoError(t, err)
	require.True(t, nobody == GroupSendEndorsement{})
	none, err := CombineEndorsements()
	require.NoError(t, err)
	require.True(t, none == GroupSendEndorsement{})

	bad := GroupSendEndorsement(bytes.Repeat([]byte{0xff}, 32))
	_, err = CombineEndorsements(three, bad)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = bad.Without(three)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = three.Without(bad)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = bad.Token(group, received.Expires)
	require.ErrorIs(t, err, ErrMalformed)
	require.Equal(t, "(group send endorsement) (group send key pair)", fmt.Sprintf("%x %v", three, keys))
}

func TestEndorsementRefusals(t *testing.T) {
	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	_, otherPublic := loadVectors(t).Servers[1].params(t)
	v := server.Endorsements[2]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	members, self := v.members(), v.Self.ServiceID
	receive := func(response []byte, members []serviceid.ServiceID) error {
		_, err := public.ReceiveGroupSendEndorsements(response, members, self, group, seconds(v.Now))
		return err
	}
	requireFlipsRefused(t, v.Response, func(b []byte) error { return receive(b, members) })
	require.ErrorIs(t, receive(v.Response, members[:2]), ErrVerification)
	require.ErrorIs(t, receive(v.Response, append(members[:2:2], serviceid.NewACI(uuid.New()))), ErrVerification)
	require.ErrorIs(t, receive(v.Response, append(members[:2:2], members[1])), ErrVerification)
	require.ErrorIs(t, receive(v.Response, append(members[:3:3], members[1])), ErrVerification)
	require.ErrorIs(t, receive(v.Response, members[1:]), ErrVerification, "without ourselves")
	_, err := otherPublic.ReceiveGroupSendEndorsements(v.Response, members, self, group, seconds(v.Now))
	require.ErrorIs(t, err, ErrVerification)
	other := DeriveGroupSecretParams(MasterKey{})
	_, err = public.ReceiveGroupSendEndorsements(v.Response, members, self, other, seconds(v.Now))
	require.ErrorIs(t, err, ErrVerification)
	_, _, err = public.ReceiveGroupSendEndorsementsOf(v.Response, [][]byte{nil}, seconds(v.Now))
	require.ErrorIs(t, err, ErrMalformed)
	_, _, err = public.ReceiveGroupSendEndorsementsOf(v.Response, nil, seconds(v.Now))
	require.ErrorIs(t, err, ErrVerification)

	keys := secret.GroupSendKeyPair(seconds(v.Expires))
	to := without(members, self)
	requireFlipsRefused(t, v.Token, func(b []byte) error { return keys.VerifyGroupSendToken(b, to, seconds(v.Now)) })
	require.ErrorIs(t, keys.VerifyGroupSendToken(v.Token, members, seconds(v.Now)), ErrVerification)
	require.NoError(t, keys.VerifyGroupSendToken(v.Token, to, seconds(v.Expires)))
	require.ErrorIs(t, keys.VerifyGroupSendToken(v.Token, to, seconds(v.Expires+1)), ErrVerification)
	tomorrow := secret.GroupSendKeyPair(seconds(v.Expires + day))
	require.ErrorIs(t, tomorrow.VerifyGroupSendToken(v.Token, to, seconds(v.Now)), ErrVerification)
	_, err = GroupSendTokenExpires(v.Token[1:])
	require.ErrorIs(t, err, ErrMalformed)
	_, err = keys.IssueGroupSendEndorsements(rand.Reader, nil)
	require.Error(t, err)
	_, err = keys.IssueGroupSendEndorsements(rand.Reader, [][]byte{{1}})
	require.ErrorIs(t, err, ErrMalformed)
}

// The rules are those of libsignal rust/zkgroup/src/api/endorsement_expiration.rs.
func TestEndorsementTimes(t *testing.T) {
	const today = 20_000 * day
	for now, expires := range map[int64]int64{
		today: 2, today + 3600: 2, today + 23*3600: 2, today + 23*3600 + 1: 3, today + day - 1: 3,
	} {
		require.Equal(t, today+expires*day, GroupSendExpiration(seconds(now)).Unix(), "%d", now-today)
	}

	server := loadVectors(t).Servers[0]
	secret, public := server.params(t)
	group := DeriveGroupSecretParams(MasterKey{5})
	members := []serviceid.ServiceID{serviceid.NewACI(uuid.New()), serviceid.NewACI(uuid.New())}
	for _, c := range []struct {
		expires, now int64
		ok           bool
	}{
		{today, today - 2*hour, true}, {today, today - 2*hour + 1, false}, {today, today, false}, {today, today + 1, false},
		{today, today - 7*day, true}, {today, today - 7*day - 1, false}, {today + 1, today - day, false}, {today, -5, false},
	} {
		response, err := secret.GroupSendKeyPair(seconds(c.expires)).
			IssueGroupSendEndorsements(rand.Reader, encryptAll(group, members))
		require.NoError(t, err)
		_, err = public.ReceiveGroupSendEndorsements(response, members, members[0], group, seconds(c.now))
		require.Equal(t, c.ok, err == nil, "%+v: %v", c, err)
	}
}

func FuzzEndorsements(f *testing.F) {
	server := loadVectors(f).Servers[0]
	secret, public := server.params(f)
	v := server.Endorsements[1]
	group := DeriveGroupSecretParams(MasterKey(v.Master))
	keys := secret.GroupSendKeyPair(seconds(v.Expires))
	f.Add([]byte(v.Response))
	f.Add([]byte(v.Token))
	f.Add([]byte(v.Combined[1:]))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, err := public.ReceiveGroupSendEndorsements(b, v.members(), v.Self.ServiceID, group, seconds(v.Now))
		require.True(t, err != nil && isTyped(err) || bytes.Equal(b, v.Response))
		err = keys.VerifyGroupSendToken(b, v.members()[1:], seconds(v.Now))
		require.True(t, err != nil && isTyped(err) || bytes.Equal(b, v.Token))
		if _, err := GroupSendTokenExpires(b); err != nil {
			require.ErrorIs(t, err, ErrMalformed)
		}
		if len(b) == 32 {
			if _, err := CombineEndorsements(GroupSendEndorsement(b)); err != nil {
				require.ErrorIs(t, err, ErrMalformed)
			}
		}
	})
}
