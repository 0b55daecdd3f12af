package store

import (
	"errors"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func jobDueKey(j *storepb.Job) []byte { return kindJobDue.key(beTime(j.NextAttempt), be64(j.Id)) }

// AddJob writes a new job, due at its NextAttempt (0: at once).
func (tx *Tx) AddJob(j *storepb.Job) error {
	id, err := tx.next(kindJob)
	if err != nil {
		return err
	}
	j.Id, j.CreatedAt = id, tx.nowMillis()
	return tx.putJob(j)
}

// Job reads a job.
func (tx *Tx) Job(id uint64) (*storepb.Job, error) {
	out := new(storepb.Job)
	return out, tx.read(kindJob.key(be64(id)), out)
}

// PutJob writes a job again, after an attempt.
func (tx *Tx) PutJob(j *storepb.Job) error {
	if err := tx.DeleteJob(j.Id); err != nil {
		return err
	}
	return tx.putJob(j)
}

func (tx *Tx) putJob(j *storepb.Job) error {
	if err := tx.put(jobDueKey(j), nil); err != nil {
		return err
	}
	return tx.write(kindJob.key(be64(j.Id)), j)
}

// DeleteJob removes a job that is done or given up. One that is not there is no error.
func (tx *Tx) DeleteJob(id uint64) error {
	j, err := tx.Job(id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := tx.delete(jobDueKey(j)); err != nil {
		return err
	}
	return tx.delete(kindJob.key(be64(id)))
}

// DueJobs lists up to limit jobs, the longest due first, those due later among them.
func (tx *Tx) DueJobs(limit int) ([]*storepb.Job, error) {
	var out []*storepb.Job
	r := scanRange{prefix: kindJobDue.key(), limit: limit, keysOnly: true}
	err := tx.scan(r, func(suffix, _ []byte) error {
		if len(suffix) != 16 {
			return &CorruptError{string(kindJobDue), errKey}
		}
		id, err := parseU64(suffix[8:])
		if err != nil {
			return &CorruptError{string(kindJobDue), err}
		}
		j, err := tx.Job(id)
		out = append(out, j)
		return err
	})
	return out, err
}

// CountJobs counts them.
func (tx *Tx) CountJobs() (int, error) { return tx.count(kindJob.key()) }

// Receipt is a delivery receipt that we owe: for the message of a sender, from one of our identities.
type Receipt struct {
	From      serviceid.Kind
	To        serviceid.ServiceID
	Timestamp uint64
}

func receiptKey(r Receipt) []byte {
	return kindReceipt.key(local(r.From), fixed(r.To), be64(r.Timestamp))
}

// AddReceipt writes that a receipt is owed; a second one for the same message changes nothing.
func (tx *Tx) AddReceipt(r Receipt) error {
	return tx.write(receiptKey(r), &storepb.PendingReceipt{CreatedAt: tx.nowMillis()})
}

// DeleteReceipts removes receipts that were sent.
func (tx *Tx) DeleteReceipts(receipts []Receipt) error {
	for _, r := range receipts {
		if err := tx.delete(receiptKey(r)); err != nil {
			return err
		}
	}
	return nil
}

// Receipts calls fn with the receipts owed to each sender, at most perSender of them, until fn returns false.
func (tx *Tx) Receipts(perSender int, fn func([]Receipt) (more bool, err error)) error {
	var group []Receipt
	err := tx.scan(scanRange{prefix: kindReceipt.key(), keysOnly: true}, func(suffix, _ []byte) error {
		r, err := parseReceipt(suffix)
		if err != nil {
			return &CorruptError{string(kindReceipt), err}
		}
		switch same := len(group) > 0 && group[0].To == r.To && group[0].From == r.From; {
		case same && len(group) >= perSender:
			return nil
		case same || len(group) == 0:
			group = append(group, r)
			return nil
		}
		full := group
		group = []Receipt{r}
		more, err := fn(full)
		if err == nil && !more {
			group = nil
			return errStop
		}
		return err
	})
	if err == nil && len(group) > 0 {
		_, err = fn(group)
	}
	return err
}

// CountReceipts counts the receipts owed.
func (tx *Tx) CountReceipts() (int, error) { return tx.count(kindReceipt.key()) }

func parseReceipt(suffix []byte) (Receipt, error) {
	if len(suffix) != 2+17+8 || suffix[1] != '/' {
		return Receipt{}, errKey
	}
	r := Receipt{From: serviceid.ACI}
	switch suffix[0] {
	case 'a':
	case 'p':
		r.From = serviceid.PNI
	default:
		return Receipt{}, errKey
	}
	var err error
	if r.To, err = parseFixed(suffix[2:19]); err != nil {
		return Receipt{}, err
	}
	r.Timestamp, err = parseU64(suffix[19:])
	return r, err
}
