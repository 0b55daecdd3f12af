package signalcore

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/sealedsender"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// certificateMargin is how long before its end a sender certificate is replaced.
const certificateMargin = 6 * time.Hour

// unregisteredFor is how long a member of a group who has no account is passed over.
const unregisteredFor = 24 * time.Hour

// unrestrictedKey opens those who take sealed messages from anyone.
var unrestrictedKey = make([]byte, 16)

// accessBook knows who takes sealed messages, and holds the certificate that they carry. It is safe for concurrent use.
type accessBook struct {
	store     *store.Store
	connector *connector
	log       zerolog.Logger
	wake      func() // there is a job

	mu          sync.Mutex
	certificate *sealedsender.SenderCertificate
}

// get returns what entitles a sealed send to someone; false where it must be an identified one.
func (b *accessBook) get(to serviceid.ServiceID) (service.Access, bool) {
	if to.Kind != serviceid.ACI {
		return service.Access{}, false
	}
	var recipient *storepb.Recipient
	err := b.store.View(func(tx *store.Tx) (err error) {
		recipient, err = tx.RecipientByServiceID(to)
		return err
	})
	if err != nil {
		return service.Access{}, false
	}
	switch recipient.GetAccess() {
	case storepb.Access_ACCESS_UNRESTRICTED:
		return service.Access{Key: unrestrictedKey}, true
	case storepb.Access_ACCESS_DISABLED:
		return service.Access{}, false
	}
	key, err := profilekey.Parse(recipient.GetProfileKey())
	if err != nil {
		return service.Access{}, false
	}
	access := key.AccessKey()
	return service.Access{Key: access[:]}, true
}

// sealing returns the certificate for a sealed send, nil where the send must be an identified one.
func (b *accessBook) sealing(ctx context.Context, to serviceid.ServiceID) *sealedsender.SenderCertificate {
	if _, ok := b.get(to); !ok {
		return nil
	}
	certificate, err := b.current(ctx)
	if err != nil {
		b.log.Debug().Err(err).Msg("no sender certificate: the message goes unsealed")
	}
	return certificate
}

// current returns the certificate, fetched anew where it is missing or near its end.
func (b *accessBook) current(ctx context.Context) (*sealedsender.SenderCertificate, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fresh(b.certificate) {
		return b.certificate, nil
	}
	if stored := b.stored(); b.fresh(stored) {
		b.certificate = stored
		return stored, nil
	}
	l, err := b.connector.line(ctx, linePatience)
	if err != nil {
		return nil, err
	}
	serialized, err := l.auth.SenderCertificate(ctx, false)
	if err != nil {
		return nil, err
	}
	certificate, err := sealedsender.ParseSenderCertificate(serialized)
	if err != nil {
		return nil, err
	}
	b.certificate = certificate
	return certificate, b.store.Update(func(tx *store.Tx) error {
		return tx.PutSenderCertificates(&storepb.SenderCertificates{
			WithoutNumber: serialized, WithoutNumberExpiresAt: certificate.Expires.UnixMilli(),
		})
	})
}

func (b *accessBook) fresh(c *sealedsender.SenderCertificate) bool {
	return c != nil && b.store.Now().Add(certificateMargin).Before(c.Expires)
}

func (b *accessBook) stored() *sealedsender.SenderCertificate {
	var certificate *sealedsender.SenderCertificate
	err := b.store.View(func(tx *store.Tx) error {
		stored, err := tx.SenderCertificates()
		if err != nil || len(stored.GetWithoutNumber()) == 0 {
			return err
		}
		certificate, err = sealedsender.ParseSenderCertificate(stored.GetWithoutNumber())
		return err
	})
	if err != nil {
		return nil
	}
	return certificate
}

// forget drops the certificate: it belongs to a former link.
func (b *accessBook) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.certificate = nil
}

// refused notes that the access key we have for someone does not fit: their profile says what does.
func (b *accessBook) refused(to serviceid.ServiceID) {
	b.change(to, func(tx *store.Tx, r *storepb.Recipient) error {
		r.Access = storepb.Access_ACCESS_DISABLED
		tx.OnCommit(b.wake)
		return tx.AddJob(&storepb.Job{Kind: storepb.JobKind_JOB_PROFILE_FETCH, ServiceId: to.Binary()})
	})
}

// unregistered notes that an account does not exist any more.
func (b *accessBook) unregistered(to serviceid.ServiceID) {
	b.change(to, func(_ *store.Tx, r *storepb.Recipient) error {
		if now := b.store.Now(); !lately(r.UnregisteredAt, now) {
			r.UnregisteredAt = now.UnixMilli()
		}
		return nil
	})
}

// lately reports whether an account was found to be unregistered within the last day.
func lately(unregisteredAt int64, now time.Time) bool {
	return unregisteredAt != 0 && now.Sub(time.UnixMilli(unregisteredAt)) < unregisteredFor
}

func (b *accessBook) change(to serviceid.ServiceID, apply func(*store.Tx, *storepb.Recipient) error) {
	err := b.store.Update(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(to)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := apply(tx, recipient); err != nil {
			return err
		}
		return tx.PutRecipient(recipient)
	})
	if err != nil {
		b.log.Warn().Err(err).Str("to", to.Short()).Msg("what the service said of a recipient was not kept")
	}
}
