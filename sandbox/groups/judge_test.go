package groups

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"signalbox/sandbox/wire"
	"signalbox/signalcore/protocol/zkgroup"
)

// judged is what the official library made for a server, of testdata/vectors/zkgroup.json.
type judged struct {
	Servers []struct {
		Secret string
		Auth   []struct {
			Master, Presentation, ACICiphertext, PNICiphertext string
			Time                                               int64
		}
		Profiles []struct {
			Master, Presentation, User, ProfileKey string
			Now, Expires                           int64
		}
	}
}

func readVectors(t *testing.T) (v judged) {
	t.Helper()
	data, err := os.ReadFile("../../testdata/vectors/zkgroup.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &v))
	require.NotEmpty(t, v.Servers)
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	require.NoError(t, err)
	return data
}

func publicKey(t *testing.T, master string) []byte {
	t.Helper()
	return zkgroup.DeriveGroupSecretParams(zkgroup.MasterKey(unhex(t, master))).PublicParams()
}

// serviceAt is a service with the official library's secrets, at a time.
func serviceAt(t *testing.T, secret string, now time.Time) (*Service, *wire.Router) {
	t.Helper()
	zk, err := zkgroup.ParseServerSecretParams(unhex(t, secret))
	require.NoError(t, err)
	s := New(Options{ZK: zk, Now: func() time.Time { return now }})
	rt := wire.NewRouter(zerolog.Nop())
	s.Routes(rt)
	return s, rt
}

// TestOfficialAuthPresentations takes the official library's presentations for who they are by, which is seen by 404 for
// a group that is not there, and refuses changed ones, those for other groups, and those of other days, with 401.
func TestOfficialAuthPresentations(t *testing.T) {
	for _, server := range readVectors(t).Servers {
		for _, auth := range server.Auth {
			at := time.Unix(auth.Time, 0)
			presentation, group := unhex(t, auth.Presentation), publicKey(t, auth.Master)
			changed := append([]byte{}, presentation...)
			changed[len(changed)/2] ^= 1
			for _, c := range []struct {
				name         string
				now          time.Time
				group, shown []byte
				status       int
			}{
				{"good", at, group, presentation, http.StatusNotFound},
				{"changed", at, group, changed, http.StatusUnauthorized},
				{"cut", at, group, presentation[:len(presentation)-1], http.StatusUnauthorized},
				{"another group's", at, publicKey(t, auth.Master[2:]+"00"), presentation, http.StatusUnauthorized},
				{"no group's", at, []byte("x"), presentation, http.StatusUnauthorized},
				{"past", at.Add(3 * 24 * time.Hour), group, presentation, http.StatusUnauthorized},
				{"to come", at.Add(-3 * 24 * time.Hour), group, presentation, http.StatusUnauthorized},
			} {
				s, rt := serviceAt(t, server.Secret, c.now)
				credentials := hex.EncodeToString(c.group) + ":" + hex.EncodeToString(c.shown)
				request := &wire.Request{Method: http.MethodGet, Path: "/v2/groups", Header: http.Header{
					"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))},
				}}
				require.Equal(t, c.status, rt.Route(context.Background(), request).Status, c.name)
				if c.status == http.StatusNotFound {
					who, err := s.authenticate(request)
					require.NoError(t, err)
					require.Equal(t, unhex(t, auth.ACICiphertext), who.aci)
					require.Equal(t, unhex(t, auth.PNICiphertext), who.pni)
				}
			}
		}
	}
}

// TestOfficialProfilePresentations opens the official library's presentations of profile keys, and no changed or expired
// ones.
func TestOfficialProfilePresentations(t *testing.T) {
	for _, server := range readVectors(t).Servers {
		for _, p := range server.Profiles {
			group, presentation := publicKey(t, p.Master), unhex(t, p.Presentation)
			s, _ := serviceAt(t, server.Secret, time.Unix(p.Now, 0))
			userID, profileKey, err := s.opener(group)(presentation)
			require.NoError(t, err)
			require.Equal(t, unhex(t, p.User), userID)
			require.Equal(t, unhex(t, p.ProfileKey), profileKey)
			for at := 1; at < len(presentation); at += 97 {
				changed := append([]byte{}, presentation...)
				changed[at] ^= 1
				_, _, err = s.opener(group)(changed)
				require.ErrorIs(t, err, errBad)
			}
			late, _ := serviceAt(t, server.Secret, time.Unix(p.Expires+1, 0))
			_, _, err = late.opener(group)(presentation)
			require.ErrorIs(t, err, errBad)
		}
	}
}
