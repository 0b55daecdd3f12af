package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func recipient(t *testing.T, tx *Tx, ids Identifiers, more func(*storepb.Recipient)) *storepb.Recipient {
	t.Helper()
	r, err := tx.Associate(ids)
	require.NoError(t, err)
	if more != nil {
		more(r)
		require.NoError(t, tx.PutRecipient(r))
	}
	return r
}

func TestAssociate(t *testing.T) {
	const number = "+4915112345678"
	type want struct{ ids Identifiers }
	for name, c := range map[string]struct {
		before []Identifiers
		ids    Identifiers
		want   []want // each identifier set must name one record with exactly these
		count  int
	}{
		"new": {
			nil, Identifiers{ACI: aci(1)}, []want{{ids: Identifiers{ACI: aci(1)}}}, 1,
		},
		"known, nothing new": {
			[]Identifiers{{ACI: aci(1), Number: number}}, Identifiers{Number: number},
			[]want{{ids: Identifiers{ACI: aci(1), Number: number}}}, 1,
		},
		"PNI and number become an ACI": {
			[]Identifiers{{PNI: pni(1), Number: number}}, Identifiers{ACI: aci(1), PNI: pni(1)},
			[]want{{ids: Identifiers{ACI: aci(1), PNI: pni(1), Number: number}}}, 1,
		},
		"three records are one person": {
			[]Identifiers{{ACI: aci(1)}, {PNI: pni(1)}, {Number: number}}, Identifiers{aci(1), pni(1), number},
			[]want{{ids: Identifiers{aci(1), pni(1), number}}}, 1,
		},
		"the number changes hands": {
			[]Identifiers{{aci(1), pni(1), number}}, Identifiers{aci(2), pni(1), number},
			[]want{{ids: Identifiers{ACI: aci(1)}}, {ids: Identifiers{aci(2), pni(1), number}}}, 2,
		},
		"a new number": {
			[]Identifiers{{aci(1), pni(1), number}}, Identifiers{aci(1), pni(2), "+331234"},
			[]want{{ids: Identifiers{aci(1), pni(2), "+331234"}}}, 1,
		},
		"two people swap": {
			[]Identifiers{{aci(1), pni(1), number}, {aci(2), pni(2), "+331234"}}, Identifiers{aci(1), pni(2), "+331234"},
			[]want{{ids: Identifiers{aci(1), pni(2), "+331234"}}, {ids: Identifiers{ACI: aci(2)}}}, 2,
		},
		"the PNI of a number, whose ACI is known": {
			[]Identifiers{{PNI: pni(1)}, {ACI: aci(2), Number: number}}, Identifiers{PNI: pni(1), Number: number},
			[]want{{ids: Identifiers{aci(2), pni(1), number}}}, 1,
		},
		"the number has a new PNI": {
			[]Identifiers{{aci(2), pni(2), number}}, Identifiers{PNI: pni(1), Number: number},
			[]want{{ids: Identifiers{PNI: pni(1), Number: number}}, {ids: Identifiers{ACI: aci(2), PNI: pni(2)}}}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir(), Options{})
			update(t, s, func(tx *Tx) {
				for _, ids := range c.before {
					recipient(t, tx, ids, nil)
				}
				recipient(t, tx, c.ids, nil)
				for _, w := range c.want {
					checkRecipient(t, tx, w.ids)
				}
				count := 0
				require.NoError(t, tx.Recipients(0, 0, func(*storepb.Recipient) error { count++; return nil }))
				require.Equal(t, c.count, count)
				indexes := 0
				for _, k := range []kind{kindRecipientACI, kindRecipientPNI, kindRecipientNumber} {
					n, err := tx.count(k.key())
					require.NoError(t, err)
					indexes += n
				}
				expected := 0
				for _, w := range c.want {
					expected += len(recipientIndexes(asRecipient(w.ids)))
				}
				require.Equal(t, expected, indexes, "no index is left behind")
			})
		})
	}
}

func asRecipient(ids Identifiers) *storepb.Recipient {
	r := new(storepb.Recipient)
	setIdentifiers(r, ids)
	return r
}

func checkRecipient(t *testing.T, tx *Tx, ids Identifiers) {
	t.Helper()
	want := asRecipient(ids)
	for _, index := range recipientIndexes(want) {
		r, err := tx.recipientAt(index)
		require.NoError(t, err)
		require.Equal(t, want.Aci, r.Aci)
		require.Equal(t, want.Pni, r.Pni)
		require.Equal(t, want.Number, r.Number)
	}
}

func TestMergeKeepsWhatEitherKnew(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		recipient(t, tx, Identifiers{ACI: aci(1)}, func(r *storepb.Recipient) {
			r.ProfileKey, r.ProfileGivenName = []byte("key"), "Ada"
		})
		other := recipient(t, tx, Identifiers{PNI: pni(1), Number: "+1"}, func(r *storepb.Recipient) {
			r.Blocked, r.ProfileGivenName, r.ContactGivenName = true, "old", "Countess"
		})
		merged := recipient(t, tx, Identifiers{ACI: aci(1), PNI: pni(1)}, nil)
		require.True(t, merged.Blocked)
		require.Equal(t, "Ada", merged.ProfileGivenName)
		require.Equal(t, "Countess", merged.ContactGivenName)
		require.Equal(t, "key", string(merged.ProfileKey))
		require.Equal(t, "+1", merged.Number)
		_, err := tx.Recipient(other.Id)
		require.ErrorIs(t, err, ErrNotFound)
	})
}

func TestPutRecipientKeepsIndexesUnique(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		recipient(t, tx, Identifiers{ACI: aci(1), Number: "+1"}, nil)
		require.Error(t, tx.PutRecipient(asRecipient(Identifiers{ACI: aci(2), Number: "+1"})))
		require.Error(t, tx.PutRecipient(new(storepb.Recipient)))
		r, err := tx.RecipientByNumber("+1")
		require.NoError(t, err)
		require.NoError(t, tx.DeleteRecipient(r.Id))
		_, err = tx.RecipientByNumber("+1")
		require.ErrorIs(t, err, ErrNotFound)
		_, err = tx.RecipientByServiceID(aci(1))
		require.ErrorIs(t, err, ErrNotFound)
		_, err = tx.Associate(Identifiers{})
		require.Error(t, err)
		_, known := RecipientPNI(r)
		require.False(t, known)
		got, known := RecipientACI(r)
		require.True(t, known)
		require.Equal(t, serviceid.ACI, got.Kind)
	})
}
