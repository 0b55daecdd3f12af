package signalcore

import (
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/senderkey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// encryptForGroup makes the ciphertext, unless it is there from before, and finds out who has its key. All that changes
// is committed when it returns.
func (s *sender) encryptForGroup(m *groupMessage, members []*delivery) error {
	a, err := s.accounts.working()
	if err != nil {
		return err
	}
	plaintext, err := padded(m.body)
	if err != nil {
		return err
	}
	var pass groupEncryption
	err = s.store.Update(func(tx *store.Tx) error {
		pass = groupEncryption{groupMessage: *m, account: a, views: make(map[serviceid.ServiceID]*memberView)}
		if err := pass.view(tx); err != nil {
			return err
		}
		key, err := openGroupKey(tx, a, s.config.Rand, m.group.id())
		if err != nil {
			return err
		}
		if pass.message == nil {
			if err := pass.encrypt(tx, key, plaintext, m); err != nil {
				return err
			}
		}
		return pass.findReady(key, members)
	})
	if err != nil {
		return storageError(err)
	}
	m.message, m.distribution, m.ready = pass.message, pass.distribution, pass.ready
	for _, d := range members {
		if v := pass.views[d.target.id]; v != nil && !v.trusted {
			d.err = untrusted(d.target.id)
		}
	}
	return nil
}

// groupEncryption is the encryption of a message within one transaction. It works on a copy of the message, which the
// original takes over once all is committed.
type groupEncryption struct {
	groupMessage
	account *account
	views   map[serviceid.ServiceID]*memberView
}

// view looks at all members, whether they are written to or not: who has left may have the key.
func (e *groupEncryption) view(tx *store.Tx) error {
	book := newSessionBook(tx)
	for _, id := range e.group.state.MemberIDs() {
		if e.account.isSelf(id) {
			continue
		}
		var err error
		if e.views[id], err = viewMember(tx, book, id); err != nil {
			return err
		}
	}
	return nil
}

func (e *groupEncryption) encrypt(tx *store.Tx, key *groupKey, plaintext []byte, m *groupMessage) error {
	if key.due(e.views) {
		if err := key.renew(); err != nil {
			return err
		}
	}
	var err error
	if e.message, e.distribution, err = key.encrypt(plaintext); err != nil {
		return err
	}
	if m.keep == nil {
		return nil
	}
	return m.keep(tx, &storepb.Ciphertexts{
		GroupMessage: e.message, Distribution: e.distribution, PreparedAt: tx.Now().UnixMilli(),
	})
}

// findReady collects those members all of whose devices have the message's key.
func (e *groupEncryption) findReady(key *groupKey, members []*delivery) error {
	e.ready = make(map[serviceid.ServiceID]sealedsender.Recipient, len(members))
	distribution, err := senderkey.ParseDistribution(e.distribution)
	if err != nil {
		return err
	}
	if distribution.ID != key.id {
		return nil // there is a new one since
	}
	shared := make(map[string]*storepb.SharedWith, len(key.stored.GetShared()))
	for _, with := range key.stored.GetShared() {
		shared[string(with.GetServiceId())] = with
	}
	for _, d := range members {
		id := d.target.id
		if e.views[id] == nil {
			continue
		}
		devices := e.views[id].holders(shared[string(id.Binary())])
		if len(devices) == 0 {
			continue
		}
		if recipient, err := recipientOf(id, e.views[id].identity, devices); err == nil {
			e.ready[id] = recipient
		}
	}
	return nil
}
