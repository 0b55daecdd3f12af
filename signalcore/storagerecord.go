package signalcore

import (
	"bytes"
	"errors"

	"google.golang.org/protobuf/proto"

	"signalbox/signalcore/content"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/signalpb/servicepb"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// keepContact makes a contact record a recipient. One that names nobody, or ourselves, is passed over.
func (s *storageSync) keepContact(tx *store.Tx, key []byte, record *servicepb.ContactRecord) error {
	c, err := content.ParseStoredContact(record)
	if err != nil {
		s.log.Debug().Err(err).Msg("a contact of the storage service was passed over")
		return nil
	}
	if a := s.accounts.get(); a == nil || a.isSelf(c.ACI) || a.isSelf(c.PNI) {
		return nil
	}
	r, err := tx.Associate(store.Identifiers{ACI: c.ACI, PNI: c.PNI, Number: c.Number})
	if err != nil {
		return err
	}
	if err := s.keepContactIdentity(tx, &c); err != nil {
		return err
	}
	if c.ProfileKey != nil && !bytes.Equal(c.ProfileKey, r.GetProfileKey()) {
		// The upkeep's round of profiles finds out about the access that goes with it.
		r.ProfileKey, r.Access, r.ProfileFetchedAt = c.ProfileKey, storepb.Access_ACCESS_UNKNOWN, 0
	}
	if c.GivenName != "" || c.FamilyName != "" {
		r.ProfileGivenName, r.ProfileFamilyName = c.GivenName, c.FamilyName
	}
	r.SystemGivenName, r.SystemFamilyName = c.SystemGivenName, c.SystemFamilyName
	r.NicknameGiven, r.NicknameFamily, r.Note = c.NicknameGiven, c.NicknameFamily, c.NoteText
	r.Username = c.Username
	r.Blocked, r.Hidden, r.Whitelisted = c.Blocked, c.Hidden, c.Whitelisted
	r.Muted = c.MutedUntil.After(tx.Now())
	r.PniSignatureVerified = r.PniSignatureVerified || c.PNISignatureVerified
	r.UnregisteredAt = 0
	if !c.UnregisteredAt.IsZero() {
		r.UnregisteredAt = c.UnregisteredAt.UnixMilli()
	}
	if r.ContactRecord, err = proto.Marshal(record); err != nil {
		return err
	}
	r.StorageId = key
	return tx.PutRecipient(r)
}

// keepContactIdentity takes the contact's key where none was seen here, and a verification of the key that is known.
// A key that differs is left to the messages: which of the two is newer, the record does not say.
func (s *storageSync) keepContactIdentity(tx *store.Tx, c *content.StoredContact) error {
	if c.ACI.IsZero() || c.IdentityKey == nil {
		return nil
	}
	if _, err := curve.ParsePublicKey(c.IdentityKey); err != nil {
		return nil //nolint:nilerr // nonsense of the primary's
	}
	known, err := tx.RemoteIdentity(c.ACI)
	if errors.Is(err, store.ErrNotFound) {
		if _, err := tx.SaveIdentityKey(c.ACI, c.IdentityKey); err != nil {
			return err
		}
		known, err = tx.RemoteIdentity(c.ACI)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(known.GetKey(), c.IdentityKey) {
		return nil
	}
	trust := storepb.Trust_TRUST_ON_FIRST_USE
	if c.IdentityState == "verified" {
		trust = storepb.Trust_TRUST_VERIFIED
	}
	if known.GetTrust() == trust {
		return nil
	}
	known.Trust = trust
	return tx.PutRemoteIdentity(c.ACI, known)
}

// keepAccount takes over the account's settings and profile key.
func keepAccount(tx *store.Tx, record *servicepb.AccountRecord) error {
	stored := content.ParseStoredAccount(record)
	settings, err := tx.AccountSettings()
	if err != nil {
		return err
	}
	applyConfiguration(settings, &stored.Configuration)
	settings.GivenName, settings.FamilyName = stored.GivenName, stored.FamilyName
	settings.Username, settings.ExpireTimerSeconds = stored.Username, stored.DefaultTimer
	if settings.AccountRecord, err = proto.Marshal(record); err != nil {
		return err
	}
	if err := tx.PutAccountSettings(settings); err != nil {
		return err
	}
	return keepProfileKey(tx, stored.ProfileKey)
}

// keepProfileKey follows a new profile key of the account, which blocking someone brings about.
func keepProfileKey(tx *store.Tx, key []byte) error {
	account, err := tx.Account()
	if err != nil || key == nil || bytes.Equal(account.GetProfileKey(), key) {
		return err
	}
	account.ProfileKey = key
	if err := tx.PutAccount(account); err != nil {
		return err
	}
	known, err := newAccount(account)
	if err != nil {
		return err
	}
	self, err := tx.Associate(store.Identifiers{ACI: known.aci, PNI: known.pni, Number: known.number})
	if err != nil {
		return err
	}
	self.ProfileKey = key
	return tx.PutRecipient(self)
}
