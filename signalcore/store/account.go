package store

import (
	"errors"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/signalpb/storepb"
)

func accountKey(part string) []byte { return kindAccount.key([]byte(part)) }

// Account reads the account, or ErrNotFound where none was ever linked. An unlinked account is still here.
func (tx *Tx) Account() (*storepb.Account, error) {
	out := new(storepb.Account)
	return out, tx.read(accountKey("self"), out)
}

// PutAccount writes the account.
func (tx *Tx) PutAccount(a *storepb.Account) error { return tx.write(accountKey("self"), a) }

// AccountSettings reads what the account's owner chose; empty where nothing is known yet.
func (tx *Tx) AccountSettings() (*storepb.AccountSettings, error) {
	out := new(storepb.AccountSettings)
	return out, orEmpty(tx.read(accountKey("settings"), out))
}

// PutAccountSettings writes them.
func (tx *Tx) PutAccountSettings(s *storepb.AccountSettings) error {
	return tx.write(accountKey("settings"), s)
}

// SenderCertificates reads the cached certificates; empty where there are none.
func (tx *Tx) SenderCertificates() (*storepb.SenderCertificates, error) {
	out := new(storepb.SenderCertificates)
	return out, orEmpty(tx.read(accountKey("certificates"), out))
}

// PutSenderCertificates writes them.
func (tx *Tx) PutSenderCertificates(c *storepb.SenderCertificates) error {
	return tx.write(accountKey("certificates"), c)
}

// GroupCredentials reads the cached auth credentials for groups; empty where there are none.
func (tx *Tx) GroupCredentials() (*storepb.GroupCredentials, error) {
	out := new(storepb.GroupCredentials)
	return out, orEmpty(tx.read(accountKey("groupcredentials"), out))
}

// PutGroupCredentials writes them.
func (tx *Tx) PutGroupCredentials(c *storepb.GroupCredentials) error {
	return tx.write(accountKey("groupcredentials"), c)
}

func preKeyStateKey(identity serviceid.Kind) []byte {
	return kindAccount.key([]byte("prekeys/"), local(identity))
}

// PreKeyState reads the upkeep of an identity's prekeys; empty for a new account.
func (tx *Tx) PreKeyState(identity serviceid.Kind) (*storepb.PreKeyState, error) {
	out := new(storepb.PreKeyState)
	return out, orEmpty(tx.read(preKeyStateKey(identity), out))
}

// PutPreKeyState writes it.
func (tx *Tx) PutPreKeyState(identity serviceid.Kind, s *storepb.PreKeyState) error {
	return tx.write(preKeyStateKey(identity), s)
}

func orEmpty(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
