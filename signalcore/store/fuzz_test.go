package store

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func FuzzKeys(f *testing.F) {
	f.Add(receiptKey(Receipt{serviceid.PNI, aci(1), 7})[len("receipt/"):])
	f.Add(address(serviceid.Address{ServiceID: pni(1), DeviceID: 2}))
	f.Add(be64(1))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseReceipt(b); err == nil {
			require.Equal(t, append([]byte("receipt/"), b...), receiptKey(r))
		}
		if a, err := parseAddress(b); err == nil {
			require.Equal(t, b, address(a))
		}
		if id, err := parseFixed(b); err == nil {
			require.Equal(t, b, fixed(id))
		}
		if n, err := parseU64(b); err == nil {
			require.Equal(t, b, be64(n))
		}
		_ = kindOf(b)
	})
}

// FuzzRecords puts any bytes under any key: reading them gives a record or a typed error, never a panic.
func FuzzRecords(f *testing.F) {
	s := open(f, f.TempDir(), Options{})
	f.Add([]byte("account/self"), []byte{0x0a, 0x01})
	f.Add(kindRecipientNumber.key([]byte("+1")), []byte{1, 2, 3})
	f.Add(kindJobDue.key(be64(1), be64(2)), []byte{})
	f.Add(kindOutgoingQueue.key(be64(1)), be64(3))
	f.Add(kindReceipt.key([]byte("a/x")), []byte{})
	f.Add(kindGroup.key(bytes.Repeat([]byte{1}, 32)), []byte{0xa0, 0x01, 0x01})
	f.Add(kindParked.key(be64(1)), []byte{0x22, 0x01})
	errDone := errors.New("nothing of this is kept")
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) == 0 || len(key) > 1000 || len(value) > 10_000 {
			t.Skip()
		}
		err := s.Update(func(tx *Tx) error {
			if err := tx.put(key, value); err != nil {
				return err
			}
			readEverything(t, tx)
			return errDone
		})
		require.ErrorIs(t, err, errDone)
	})
}

func readEverything(t *testing.T, tx *Tx) {
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	note(tx.Account())
	note(tx.AccountSettings())
	note(tx.RecipientByNumber("+1"))
	note(tx.RecipientByServiceID(aci(1)))
	note(tx.DueJobs(5))
	note(tx.DueAttachments(5))
	note(tx.PreKeys(serviceid.ACI, ECOneTime))
	note(tx.SessionDevices(serviceid.ACI, aci(1)))
	note(tx.InboxSeq())
	note(nil, tx.ScanInbox(func(uint64, *storepb.InboxMeta) error { return nil }))
	note(nil, tx.UnfinishedOutgoing(5, func(*storepb.Outgoing) error { return nil }))
	note(nil, tx.Quarantined(0, 5, func(*storepb.Quarantined) error { return nil }))
	note(tx.Group(bytes.Repeat([]byte{1}, 32)))
	note(tx.GroupCredentials())
	note(nil, tx.Groups(func(*storepb.Group) error { return nil }))
	note(nil, tx.Parked(nil, func(*storepb.ParkedMessage) error { return nil }))
	note(nil, tx.Recipients(0, 5, func(*storepb.Recipient) error { return nil }))
	note(nil, tx.Receipts(5, func([]Receipt) (bool, error) { return true, nil }))
	note(nil, tx.RemoteIdentities(func(serviceid.ServiceID, *storepb.RemoteIdentity) error { return nil }))
	for _, err := range errs {
		var corrupt *CorruptError
		if err != nil && !errors.Is(err, ErrNotFound) && !errors.As(err, &corrupt) {
			require.NoError(t, err)
		}
	}
}
