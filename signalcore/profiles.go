package signalcore

import (
	"bytes"
	"context"
	"errors"
	"time"

	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

const (
	// Profiles are fetched profilesAtOnce every profilesPause: a long contact list takes its time.
	profilesAtOnce = 5
	profilesPause  = time.Minute
	// profileLife is how old a profile may become; profileRetry is between attempts at one that gave no answer about
	// sealed messages.
	profileLife  = 7 * 24 * time.Hour
	profileRetry = 24 * time.Hour
	maxStale     = 1000
)

// profiles learns from the service what contacts are called, whether they take sealed messages, and their identity key.
type profiles struct{ *Client }

func newProfiles(c *Client) *profiles { return &profiles{c} }

// stale lists those who should be asked about.
func (p *profiles) stale() ([]serviceid.ServiceID, error) {
	now := p.config.Now()
	var out []serviceid.ServiceID
	err := p.store.View(func(tx *store.Tx) error {
		return tx.Recipients(0, 0, func(r *storepb.Recipient) error {
			aci, ok := store.RecipientACI(r)
			if !ok || len(r.GetProfileKey()) == 0 || r.GetUnregisteredAt() != 0 || len(out) == maxStale {
				return nil
			}
			age := now.Sub(time.UnixMilli(r.GetProfileFetchedAt()))
			if age > profileLife || age > profileRetry && r.GetAccess() == storepb.Access_ACCESS_UNKNOWN {
				out = append(out, aci)
			}
			return nil
		})
	})
	return out, err
}

// fetch asks for one profile and keeps what it says. Who is not known here, or only by a PNI, has none to fetch.
func (p *profiles) fetch(ctx context.Context, id serviceid.ServiceID) error {
	if id.Kind != serviceid.ACI {
		return nil
	}
	recipient, err := p.recipient(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	l, err := p.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	key, keyErr := profilekey.Parse(recipient.GetProfileKey())
	var profile *service.Profile
	if keyErr != nil {
		profile, err = l.auth.Profile(ctx, id, "")
	} else {
		profile, err = fetchVersioned(ctx, l, id, key)
	}
	if errors.Is(err, service.ErrUnregistered) {
		p.sender.courier.access.unregistered(id)
		return nil
	}
	if err != nil {
		return err
	}
	return p.keep(id, recipient.GetProfileKey(), profile)
}

func (p *profiles) recipient(id serviceid.ServiceID) (recipient *storepb.Recipient, err error) {
	err = p.store.View(func(tx *store.Tx) error {
		recipient, err = tx.RecipientByServiceID(id)
		return err
	})
	return recipient, err
}

// fetchVersioned asks without saying who asks, where the access key opens that.
func fetchVersioned(ctx context.Context, l *line, id serviceid.ServiceID, key profilekey.Key) (*service.Profile, error) {
	access := key.AccessKey()
	anonymous, err := l.anonymous.get(ctx)
	if err != nil {
		return nil, err
	}
	profile, err := anonymous.Profile(ctx, id, key.Version(id), service.Access{Key: access[:]})
	if errors.Is(err, service.ErrUnauthorized) {
		profile, err = l.auth.Profile(ctx, id, key.Version(id))
	}
	return profile, err
}

// keep saves a profile that was fetched with a profile key, or without one.
func (p *profiles) keep(id serviceid.ServiceID, usedKey []byte, profile *service.Profile) error {
	changed := false
	err := p.store.Update(func(tx *store.Tx) error {
		changed = false
		recipient, err := tx.RecipientByServiceID(id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		recipient.UnregisteredAt = 0
		// A key that came meanwhile makes its own fetch.
		if bytes.Equal(recipient.GetProfileKey(), usedKey) {
			recipient.ProfileFetchedAt = tx.Now().UnixMilli()
			p.readFields(recipient, profile)
		}
		if err := tx.PutRecipient(recipient); err != nil {
			return err
		}
		if a := p.accounts.get(); a != nil && id == a.aci {
			return keepOwnName(tx, recipient)
		}
		changed, err = keepIdentity(tx, id, profile.IdentityKey)
		return err
	})
	if err == nil && changed {
		p.identityChanged(id)
	}
	return err
}

// readFields decrypts what the key opens, and decides whether sealed messages are taken.
func (p *profiles) readFields(recipient *storepb.Recipient, profile *service.Profile) {
	key, err := profilekey.Parse(recipient.GetProfileKey())
	hasKey := err == nil
	recipient.Access = storepb.Access_ACCESS_DISABLED
	switch {
	case profile.UnrestrictedUnidentified:
		recipient.Access = storepb.Access_ACCESS_UNRESTRICTED
	case !hasKey:
		recipient.Access = storepb.Access_ACCESS_UNKNOWN
	case key.AccessKey().Matches(profile.UnidentifiedAccess):
		recipient.Access = storepb.Access_ACCESS_ENABLED
	}
	if !hasKey {
		return
	}
	if len(profile.Name) > 0 {
		name, err := profilecipher.DecryptName(key, profile.Name)
		if err != nil {
			p.log.Debug().Err(err).Msg("a profile name cannot be read")
		} else {
			recipient.ProfileGivenName, recipient.ProfileFamilyName = name.Given, name.Family
		}
	}
	recipient.ProfileAvatar = profile.Avatar
	for _, text := range []struct {
		encrypted []byte
		to        *string
	}{{profile.About, &recipient.About}, {profile.AboutEmoji, &recipient.AboutEmoji}} {
		if plain, err := profilecipher.DecryptText(key, text.encrypted); err == nil {
			*text.to = plain
		}
	}
}

func keepOwnName(tx *store.Tx, self *storepb.Recipient) error {
	if self.GetProfileGivenName() == "" {
		return nil
	}
	settings, err := tx.AccountSettings()
	if err != nil {
		return err
	}
	settings.GivenName, settings.FamilyName = self.GetProfileGivenName(), self.GetProfileFamilyName()
	return tx.PutAccountSettings(settings)
}

// keepIdentity trusts the key that the service names, like any: it reports a change.
func keepIdentity(tx *store.Tx, id serviceid.ServiceID, serialized []byte) (bool, error) {
	key, err := curve.ParsePublicKey(serialized)
	if err != nil {
		return false, nil //nolint:nilerr // a profile without a key
	}
	book := newSessionBook(tx)
	changed, err := book.saveIdentity(id, key)
	if err != nil {
		return false, err
	}
	return changed, book.flush()
}
