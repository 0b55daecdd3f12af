package signalcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"signalbox/signalcore/group"
	"signalbox/signalcore/model"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/store"
)

// Whoever is added to a group needs a credential of theirs: it proves to the service that the profile key in the group is
// the one of the account, without telling it which account that is. Where there is none to be had (the profile key is not
// known, or the account is known by its number alone), they are invited instead.

// credentialMargin is how much life a credential must have left.
const credentialMargin = time.Hour

// candidates finds the people to be added to a group, with a presentation where they have a credential. Who cannot be
// added is among the failures.
func (k *groupKeeper) candidates(
	ctx context.Context, params *zkgroup.GroupSecretParams, people []model.Recipient, role group.Role,
) ([]group.Candidate, []model.SendFailure, error) {
	if len(people) == 0 {
		return nil, nil, nil
	}
	targets, err := k.sender.resolvePatiently(ctx, people)
	if err != nil {
		return nil, nil, err
	}
	targets = distinct(targets)
	found := make([]group.Candidate, len(targets))
	var running sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range targets {
		t := &targets[i]
		if t.err != nil {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			found[i] = group.Candidate{ServiceID: t.id, Role: role}
			found[i].Presentation, t.err = k.presentationOf(ctx, params, t.id)
			<-slots
		})
	}
	running.Wait()
	var out []group.Candidate
	var failures []model.SendFailure
	for i, t := range targets {
		switch {
		case t.err == nil:
			out = append(out, found[i])
		case errors.Is(t.err, model.ErrUnknownRecipient), errors.Is(t.err, service.ErrUnregistered):
			failures = append(failures, model.SendFailure{Recipient: t.recipient, Err: t.err})
		default:
			return nil, nil, t.err
		}
	}
	return out, failures, nil
}

// people finds the service ids of those whom a part of an update names.
func (k *groupKeeper) people(ctx context.Context, recipients []model.Recipient) ([]serviceid.ServiceID, error) {
	if len(recipients) == 0 {
		return nil, nil
	}
	targets, err := k.sender.resolvePatiently(ctx, recipients)
	if err != nil {
		return nil, err
	}
	var out []serviceid.ServiceID
	for _, t := range distinct(targets) {
		if t.err != nil {
			return nil, t.err
		}
		out = append(out, t.id)
	}
	return out, nil
}

// presentationOf presents someone's credential for a group; nil where they have none. service.ErrUnregistered is for who
// has no account any more; zkgroup.ErrVerification for a service that gives a credential which does not hold.
func (k *groupKeeper) presentationOf(
	ctx context.Context, params *zkgroup.GroupSecretParams, id serviceid.ServiceID,
) ([]byte, error) {
	a, err := k.accounts.working()
	if err != nil {
		return nil, err
	}
	if a.isSelf(id) {
		return k.ownPresentation(ctx, params)
	}
	if id.Kind != serviceid.ACI {
		return nil, nil
	}
	recipient, err := k.upkeep.profiles.recipient(id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, storageError(err)
	}
	key, err := profilekey.Parse(recipient.GetProfileKey())
	if err != nil {
		return nil, nil //nolint:nilerr // it is not known
	}
	if kept, err := zkgroup.ParseProfileKeyCredential(recipient.GetProfileKeyCredential()); err == nil {
		if presentation := k.present(params, kept, id, key); presentation != nil {
			return presentation, nil
		}
	}
	credential, err := k.fetchCredential(ctx, id, key)
	switch {
	case errors.Is(err, service.ErrNoProfileCredential), isDefinite(err):
		return nil, nil // the profile key that we know may be an old one
	case err != nil:
		return nil, err
	}
	if err := k.keepCredential(id, key, credential); err != nil {
		return nil, storageError(err)
	}
	return k.present(params, credential, id, key), nil
}

// isDefinite tells an answer that would be the same again.
func isDefinite(err error) bool {
	var status *service.StatusError
	return errors.As(err, &status) && !status.Temporary()
}

// present makes the presentation of a credential; nil where it has expired, or is for another profile key than the one
// that is known now.
func (k *groupKeeper) present(
	params *zkgroup.GroupSecretParams, credential *zkgroup.ProfileKeyCredential, id serviceid.ServiceID, key profilekey.Key,
) []byte {
	if credential.Expires().Before(k.config.Now().Add(credentialMargin)) || credential.ACI() != id {
		return nil
	}
	presentation, err := k.server.PresentProfileKeyCredential(k.config.Rand, params, credential)
	if err != nil {
		k.log.Warn().Err(err).Msg("the credential of a profile key cannot be presented")
		return nil
	}
	_, sealed, err := zkgroup.ProfileKeyPresentationCiphertexts(presentation)
	if err != nil || !bytes.Equal(sealed, params.EncryptProfileKey(key, id)) {
		return nil
	}
	return presentation
}

// fetchCredential asks the service for the credential of a profile key, without saying who asks where the key opens that.
func (k *groupKeeper) fetchCredential(
	ctx context.Context, id serviceid.ServiceID, key profilekey.Key,
) (*zkgroup.ProfileKeyCredential, error) {
	l, err := k.connector.line(ctx, linePatience)
	if err != nil {
		return nil, err
	}
	request, err := k.server.RequestProfileKeyCredential(k.config.Rand, id, key)
	if err != nil {
		return nil, err
	}
	a, err := k.accounts.working()
	if err != nil {
		return nil, err
	}
	var answer []byte
	identified := a.isSelf(id)
	if !identified {
		access := key.AccessKey()
		anonymous, err := l.anonymous.get(ctx)
		if err != nil {
			return nil, err
		}
		answer, err = anonymous.ProfileKeyCredential(
			ctx, id, key.Version(id), request.Request(), service.Access{Key: access[:]})
		if identified = errors.Is(err, service.ErrUnauthorized); err != nil && !identified {
			return nil, err
		}
	}
	if identified {
		if answer, err = l.auth.ProfileKeyCredential(ctx, id, key.Version(id), request.Request()); err != nil {
			return nil, err
		}
	}
	return k.server.ReceiveProfileKeyCredential(request, answer, k.config.Now())
}

func (k *groupKeeper) keepCredential(
	id serviceid.ServiceID, key profilekey.Key, credential *zkgroup.ProfileKeyCredential,
) error {
	return k.store.Update(func(tx *store.Tx) error {
		recipient, err := tx.RecipientByServiceID(id)
		if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(recipient.GetProfileKey(), key[:]) {
			return nil
		}
		if err != nil {
			return err
		}
		recipient.ProfileKeyCredential = credential.Serialize()
		return tx.PutRecipient(recipient)
	})
}

// ownPresentation presents this account's own credential, by which it comes into groups.
func (k *groupKeeper) ownPresentation(ctx context.Context, params *zkgroup.GroupSecretParams) ([]byte, error) {
	a, err := k.accounts.working()
	if err != nil {
		return nil, err
	}
	key, err := profilekey.Parse(a.profileKey)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	kept := k.own
	k.mu.Unlock()
	if kept != nil {
		if presentation := k.present(params, kept, a.aci, key); presentation != nil {
			return presentation, nil
		}
	}
	credential, err := k.fetchCredential(ctx, a.aci, key)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.own = credential
	k.mu.Unlock()
	presentation := k.present(params, credential, a.aci, key)
	if presentation == nil {
		return nil, fmt.Errorf("%w: for this account's own", service.ErrNoProfileCredential)
	}
	return presentation, nil
}
