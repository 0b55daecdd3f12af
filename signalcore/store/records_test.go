package store

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func TestAccountRecords(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	account := &storepb.Account{Number: "+4915112345678", DeviceId: 2, AciIdentity: &storepb.KeyPair{Private: make([]byte, 32)}}
	settings := &storepb.AccountSettings{ReadReceipts: proto.Bool(false), StorageManifestVersion: 7}
	update(t, s, func(tx *Tx) {
		empty, err := tx.AccountSettings()
		require.NoError(t, err)
		require.Nil(t, empty.ReadReceipts)
		_, err = tx.SenderCertificates()
		require.NoError(t, err)
		require.NoError(t, tx.PutAccount(account))
		require.NoError(t, tx.PutAccountSettings(settings))
		require.NoError(t, tx.PutSenderCertificates(&storepb.SenderCertificates{WithNumber: []byte("c")}))
	})
	s = reopenAfter(t, s)
	view(t, s, func(tx *Tx) {
		a, err := tx.Account()
		require.NoError(t, err)
		require.True(t, proto.Equal(account, a))
		st, err := tx.AccountSettings()
		require.NoError(t, err)
		require.True(t, proto.Equal(settings, st))
		require.False(t, *st.ReadReceipts, "no is not the same as unknown")
	})
}

func TestIdentityChange(t *testing.T) {
	now := time.UnixMilli(5000)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	update(t, s, func(tx *Tx) {
		for _, step := range []struct {
			key  string
			want IdentityChange
		}{{"one", IdentityNew}, {"one", IdentityUnchanged}, {"two", IdentityChanged}, {"two", IdentityUnchanged}} {
			got, err := tx.SaveIdentityKey(aci(1), []byte(step.key))
			require.NoError(t, err)
			require.Equal(t, step.want, got)
		}
		r, err := tx.RemoteIdentity(aci(1))
		require.NoError(t, err)
		require.Equal(t, "one", string(r.PreviousKey))
		require.Equal(t, int64(5000), r.ChangedAt)
		_, err = tx.RemoteIdentity(pni(1))
		require.ErrorIs(t, err, ErrNotFound, "the PNI has an identity of its own")
		count := 0
		require.NoError(t, tx.RemoteIdentities(func(id serviceid.ServiceID, _ *storepb.RemoteIdentity) error {
			require.Equal(t, aci(1), id)
			count++
			return nil
		}))
		require.Equal(t, 1, count)
	})
}

func TestSessions(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		for _, id := range []serviceid.ServiceID{aci(1), aci(2), pni(1)} {
			for _, device := range []uint32{3, 1, 2} {
				a := serviceid.Address{ServiceID: id, DeviceID: device}
				require.NoError(t, tx.PutSession(serviceid.ACI, a, []byte(a.String())))
			}
		}
		a := serviceid.Address{ServiceID: aci(1), DeviceID: 1}
		require.NoError(t, tx.PutSession(serviceid.PNI, a, []byte("pni side")))
		devices, err := tx.SessionDevices(serviceid.ACI, aci(1))
		require.NoError(t, err)
		require.Equal(t, []uint32{1, 2, 3}, devices)
		require.NoError(t, tx.DeleteSession(serviceid.ACI, a))
		n, err := tx.DeleteSessions(serviceid.ACI, aci(1))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		got, err := tx.Session(serviceid.PNI, a)
		require.NoError(t, err)
		require.Equal(t, "pni side", string(got))
		n, err = tx.CountSessions(serviceid.ACI)
		require.NoError(t, err)
		require.Equal(t, 6, n)
		n, err = tx.DeleteAllSessions(serviceid.ACI)
		require.NoError(t, err)
		require.Equal(t, 6, n)

		distribution := uuid.UUID{5}
		require.NoError(t, tx.PutSenderKey(a, distribution, []byte("sk")))
		got, err = tx.SenderKey(a, distribution)
		require.NoError(t, err)
		require.Equal(t, "sk", string(got))
		n, err = tx.DeleteSenderKeys(a)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestTrimSenderKeysKeepsTheLatest(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	a, other := serviceid.Address{ServiceID: aci(1), DeviceID: 2}, serviceid.Address{ServiceID: aci(1), DeviceID: 3}
	for n := range byte(6) {
		update(t, s, func(tx *Tx) {
			require.NoError(t, tx.PutSenderKey(a, uuid.UUID{n}, []byte{n}))
			require.NoError(t, tx.PutSenderKey(other, uuid.UUID{n}, []byte{n}))
		})
	}
	update(t, s, func(tx *Tx) { require.NoError(t, tx.PutSenderKey(a, uuid.UUID{0}, []byte("used"))) })
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.TrimSenderKeys(a, 6))
		require.NoError(t, tx.PutSenderKey(a, uuid.UUID{6}, []byte("new")))
		require.NoError(t, tx.TrimSenderKeys(a, 3))
	})
	view(t, s, func(tx *Tx) {
		for n := range byte(7) {
			_, err := tx.SenderKey(a, uuid.UUID{n})
			require.Equal(t, n == 0 || n >= 5, err == nil, "key %d", n)
		}
		_, err := tx.SenderKey(other, uuid.UUID{1})
		require.NoError(t, err)
	})
}

func TestPreKeys(t *testing.T) {
	now := time.UnixMilli(1000)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	update(t, s, func(tx *Tx) {
		ids, err := tx.NextPreKeyIDs(serviceid.ACI, KyberOneTime, 3)
		require.NoError(t, err)
		require.Equal(t, []uint32{1, 2, 3}, ids)
		ids, err = tx.NextPreKeyIDs(serviceid.ACI, KyberLastResort, 1)
		require.NoError(t, err)
		require.Equal(t, []uint32{4}, ids, "both kinds of Kyber key share their numbers")
		ids, err = tx.NextPreKeyIDs(serviceid.PNI, ECOneTime, 1)
		require.NoError(t, err)
		require.Equal(t, []uint32{1}, ids)
		require.NoError(t, tx.PutPreKeyState(serviceid.PNI, &storepb.PreKeyState{NextEcId: MaxPreKeyID}))
		ids, err = tx.NextPreKeyIDs(serviceid.PNI, ECOneTime, 3)
		require.NoError(t, err)
		require.Equal(t, []uint32{MaxPreKeyID, 1, 2}, ids)

		for id := range uint32(4) {
			require.NoError(t, tx.PutPreKey(serviceid.ACI, KyberOneTime, id, &storepb.PreKey{Record: []byte{byte(id)}}))
		}
		require.NoError(t, tx.PutPreKey(serviceid.ACI, KyberLastResort, 9, &storepb.PreKey{}))
		_, kind, err := tx.KyberPreKey(serviceid.ACI, 2)
		require.NoError(t, err)
		require.Equal(t, KyberOneTime, kind)
		_, kind, err = tx.KyberPreKey(serviceid.ACI, 9)
		require.NoError(t, err)
		require.Equal(t, KyberLastResort, kind)
		_, _, err = tx.KyberPreKey(serviceid.ACI, 10)
		require.ErrorIs(t, err, ErrNotFound)

		require.NoError(t, tx.MarkPreKeysStale(serviceid.ACI, KyberOneTime, 3))
		n, err := tx.DeleteStalePreKeys(serviceid.ACI, KyberOneTime, 1000)
		require.NoError(t, err)
		require.Zero(t, n, "stale since now is not stale before now")
		n, err = tx.DeleteStalePreKeys(serviceid.ACI, KyberOneTime, 1001)
		require.NoError(t, err)
		require.Equal(t, 3, n)
		n, err = tx.CountPreKeys(serviceid.ACI, KyberOneTime)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestLastResortReplay(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.UseLastResort(serviceid.ACI, 1, 2, []byte("base")))
		require.NoError(t, tx.UseLastResort(serviceid.ACI, 1, 3, []byte("base")))
		require.NoError(t, tx.UseLastResort(serviceid.PNI, 1, 2, []byte("base")))
		require.ErrorIs(t, tx.UseLastResort(serviceid.ACI, 1, 2, []byte("base")), ErrBaseKeyReused)
		n, err := tx.ForgetBaseKeys(serviceid.ACI, 1)
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.NoError(t, tx.UseLastResort(serviceid.ACI, 1, 2, []byte("base")))
	})
}

func TestSeenAndQuarantineAndCounters(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.MarkSeen([]byte("guid")))
		require.NoError(t, tx.Quarantine(&storepb.Quarantined{Envelope: []byte("e1")}))
		require.NoError(t, tx.Quarantine(&storepb.Quarantined{Envelope: []byte("e2")}))
		require.NoError(t, tx.Count("blocked", 2))
		require.NoError(t, tx.Count("blocked", 3))
	})
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		for mark, want := range map[string]bool{"guid": true, "gui": false, "other": false} {
			seen, err := tx.Seen([]byte(mark))
			require.NoError(t, err)
			require.Equal(t, want, seen, mark)
		}
		var got []string
		require.NoError(t, tx.Quarantined(0, 10, func(q *storepb.Quarantined) error {
			got = append(got, fmt.Sprint(q.Seq, string(q.Envelope)))
			return tx.DeleteQuarantined(q.Seq)
		}))
		require.Equal(t, []string{"1e1", "2e2"}, got)
		n, err := tx.CountQuarantined()
		require.NoError(t, err)
		require.Zero(t, n)
		value, err := tx.Counter("blocked")
		require.NoError(t, err)
		require.Equal(t, uint64(5), value)
	})
}

func TestOutgoing(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	s := open(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	o := &storepb.Outgoing{IdempotencyKey: "k", RequestHash: []byte("h"), Status: storepb.OutgoingStatus_OUTGOING_QUEUED}
	second := &storepb.Outgoing{Status: storepb.OutgoingStatus_OUTGOING_PREPARED}
	unfinished := func(tx *Tx) (out []uint64) {
		require.NoError(t, tx.UnfinishedOutgoing(0, func(o *storepb.Outgoing) error {
			out = append(out, o.Timestamp)
			return nil
		}))
		return out
	}
	update(t, s, func(tx *Tx) {
		_, err := tx.OutgoingByKey("k", []byte("h"))
		require.ErrorIs(t, err, ErrNotFound)
		for _, out := range []*storepb.Outgoing{o, second} {
			out.Timestamp, err = tx.FreeTimestamp()
			require.NoError(t, err)
			require.NoError(t, tx.PutOutgoing(out))
		}
		require.Equal(t, o.Timestamp+1, second.Timestamp, "timestamps are identifiers")
		require.NoError(t, tx.PutCiphertexts(o.Timestamp, aci(1), &storepb.Ciphertexts{PreparedAt: 1}))
		require.NoError(t, tx.PutResend(o.Timestamp, &storepb.Resend{Content: []byte("c")}))
	})
	s = reopenAfter(t, s)
	update(t, s, func(tx *Tx) {
		got, err := tx.OutgoingByKey("k", []byte("h"))
		require.NoError(t, err)
		require.Equal(t, o.Timestamp, got.Timestamp)
		_, err = tx.OutgoingByKey("k", []byte("other"))
		require.ErrorIs(t, err, ErrConflict)
		require.Equal(t, []uint64{o.Timestamp, second.Timestamp}, unfinished(tx))
		c, err := tx.Ciphertexts(o.Timestamp, aci(1))
		require.NoError(t, err)
		require.Equal(t, int64(1), c.PreparedAt)
		r, err := tx.Resend(o.Timestamp)
		require.NoError(t, err)
		require.Equal(t, "c", string(r.Content))

		got.Status, got.Reply = storepb.OutgoingStatus_OUTGOING_DONE, []byte("{}")
		require.NoError(t, tx.PutOutgoing(got))
		n, err := tx.DeleteCiphertexts(o.Timestamp)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, []uint64{second.Timestamp}, unfinished(tx))
	})
	view(t, s, func(tx *Tx) {
		got, err := tx.OutgoingByKey("k", []byte("h"))
		require.NoError(t, err)
		require.Equal(t, "{}", string(got.Reply))
		var latest []uint64
		require.NoError(t, tx.LatestOutgoing(5, func(o *storepb.Outgoing) error {
			latest = append(latest, o.Timestamp)
			return nil
		}))
		require.Equal(t, []uint64{second.Timestamp, o.Timestamp}, latest)
		now = now.Add(OutgoingFor)
		_, err = tx.OutgoingByKey("k", []byte("other"))
		require.ErrorIs(t, err, ErrNotFound, "after a day the key is free")
	})
}

func TestJobsAndReceipts(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	due := func(tx *Tx) (out []uint64) {
		jobs, err := tx.DueJobs(10)
		require.NoError(t, err)
		for _, j := range jobs {
			out = append(out, j.Id)
		}
		return out
	}
	update(t, s, func(tx *Tx) {
		for _, at := range []int64{300, 100, 200} {
			require.NoError(t, tx.AddJob(&storepb.Job{Kind: storepb.JobKind_JOB_RESEND, NextAttempt: at}))
		}
		require.Equal(t, []uint64{2, 3, 1}, due(tx))
		j, err := tx.Job(2)
		require.NoError(t, err)
		j.NextAttempt = 400
		require.NoError(t, tx.PutJob(j))
		require.NoError(t, tx.DeleteJob(3))
		require.NoError(t, tx.DeleteJob(3))
		require.Equal(t, []uint64{1, 2}, due(tx))

		for n := range uint64(5) {
			require.NoError(t, tx.AddReceipt(Receipt{serviceid.ACI, aci(1), n}))
		}
		require.NoError(t, tx.AddReceipt(Receipt{serviceid.ACI, aci(1), 0}))
		require.NoError(t, tx.AddReceipt(Receipt{serviceid.ACI, aci(2), 9}))
		require.NoError(t, tx.AddReceipt(Receipt{serviceid.PNI, aci(1), 8}))
		n, err := tx.CountReceipts()
		require.NoError(t, err)
		require.Equal(t, 7, n)
		var groups [][]Receipt
		require.NoError(t, tx.Receipts(3, func(r []Receipt) (bool, error) {
			groups = append(groups, r)
			return true, tx.DeleteReceipts(r)
		}))
		require.Len(t, groups, 3)
		require.Len(t, groups[0], 3)
		require.Equal(t, []Receipt{{serviceid.ACI, aci(2), 9}}, groups[1])
		require.Equal(t, []Receipt{{serviceid.PNI, aci(1), 8}}, groups[2])
		groups = nil
		require.NoError(t, tx.Receipts(3, func(r []Receipt) (bool, error) {
			groups = append(groups, r)
			return false, nil
		}))
		require.Equal(t, [][]Receipt{{{serviceid.ACI, aci(1), 3}, {serviceid.ACI, aci(1), 4}}}, groups)
	})
}

func TestAttachments(t *testing.T) {
	s := open(t, t.TempDir(), Options{})
	f, err := s.CreateTemp()
	require.NoError(t, err)
	_, err = f.WriteString("picture")
	require.NoError(t, err)
	require.NoError(t, s.AdoptAttachment(f, "a1"))
	path, err := s.AttachmentPath("a1")
	require.NoError(t, err)
	left, err := s.CreateTemp()
	require.NoError(t, err)
	require.NoError(t, left.Close())
	orphan, err := s.AttachmentPath("orphan")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(orphan, nil, 0o600))
	a := &storepb.Attachment{Id: "a1", NextAttempt: 50}
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.PutAttachment(a))
		require.NoError(t, tx.PutAttachment(&storepb.Attachment{Id: "a2", NextAttempt: 10}))
		dueNow, err := tx.DueAttachments(5)
		require.NoError(t, err)
		require.Equal(t, "a2", dueNow[0].Id)
		require.Equal(t, "a1", dueNow[1].Id)
		a.State = storepb.AttachmentState_ATTACHMENT_DONE
		require.NoError(t, tx.PutAttachment(a))
		dueNow, err = tx.DueAttachments(5)
		require.NoError(t, err)
		require.Len(t, dueNow, 1)
		require.ErrorIs(t, tx.PutAttachment(&storepb.Attachment{Id: "../x"}), ErrBadID)
		_, err = tx.Attachment("../x")
		require.ErrorIs(t, err, ErrNotFound)
	})
	s = reopenAfter(t, s)
	require.NoFileExists(t, left.Name())
	require.NoFileExists(t, orphan)
	require.FileExists(t, path)
	require.Error(t, s.Update(func(tx *Tx) error {
		require.NoError(t, tx.DeleteAttachment("a1"))
		return os.ErrInvalid
	}))
	require.FileExists(t, path, "a file goes only once that is durable")
	update(t, s, func(tx *Tx) {
		require.NoError(t, tx.DeleteAttachment("a1"))
		require.NoError(t, tx.DeleteAttachment("a2"))
		require.NoError(t, tx.DeleteAttachment("none"))
		require.FileExists(t, path)
		dueNow, err := tx.DueAttachments(5)
		require.NoError(t, err)
		require.Empty(t, dueNow)
	})
	require.NoFileExists(t, path)
}
