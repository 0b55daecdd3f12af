package signalcore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/zkgroup"
	"signalbox/signalcore/service"
	"signalbox/signalcore/signalpb/storepb"
	"signalbox/signalcore/store"
)

// credentialDays is how many days beyond today the credentials are fetched for, which is what the service gives at most
// (Signal-Server CertificateController).
const credentialDays = 7

// errCredentials is for a service that gives no credential for today.
var errCredentials = errors.New("the service gave no valid credential for groups")

// groupCredentials keeps the credentials by which the account proves to the service, day by day, that it may see a group,
// without saying which account it is.
type groupCredentials struct {
	*Client
	server *zkgroup.ServerPublicParams
	mu     sync.Mutex // one fetch at a time
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// today returns the credential for now, fetched if need be.
func (g *groupCredentials) today(ctx context.Context) (*zkgroup.AuthCredential, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, err := g.accounts.working()
	if err != nil {
		return nil, err
	}
	day := dayOf(g.config.Now())
	credential, err := g.stored(a, day)
	if err != nil || credential != nil {
		return credential, err
	}
	if err := g.fetch(ctx, a, day); err != nil {
		return nil, err
	}
	if credential, err = g.stored(a, day); err == nil && credential == nil {
		err = errCredentials
	}
	return credential, err
}

// check fetches new credentials where those for today or tomorrow are missing.
func (g *groupCredentials) check(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	a, err := g.accounts.working()
	if err != nil {
		return err
	}
	day := dayOf(g.config.Now())
	for _, wanted := range []time.Time{day, day.AddDate(0, 0, 1)} {
		credential, err := g.stored(a, wanted)
		if err != nil {
			return err
		}
		if credential == nil {
			return g.fetch(ctx, a, day)
		}
	}
	return nil
}

// forget drops the credentials, which the service did not take.
func (g *groupCredentials) forget() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.store.Update(func(tx *store.Tx) error { return tx.PutGroupCredentials(&storepb.GroupCredentials{}) })
}

// stored reads the credential of a day; nil where there is none. Those of a former PNI are none.
func (g *groupCredentials) stored(a *account, day time.Time) (*zkgroup.AuthCredential, error) {
	var kept *storepb.GroupCredentials
	err := g.store.View(func(tx *store.Tx) (err error) {
		kept, err = tx.GroupCredentials()
		return err
	})
	if err != nil || !bytes.Equal(kept.GetPni(), a.pni.UUID[:]) {
		return nil, err
	}
	for _, c := range kept.GetDays() {
		if c.GetRedemption() != day.Unix() {
			continue
		}
		credential, err := zkgroup.ParseAuthCredential(c.GetCredential())
		if err != nil {
			return nil, &store.CorruptError{Kind: "account", Err: err}
		}
		return credential, nil
	}
	return nil, nil
}

// fetch replaces the credentials by those of the coming days. One that does not verify spoils all: there is no use in
// asking with it.
func (g *groupCredentials) fetch(ctx context.Context, a *account, day time.Time) error {
	l, err := g.connector.line(ctx, linePatience)
	if err != nil {
		return err
	}
	responses, pni, err := l.auth.GroupAuthCredentials(ctx, day, day.AddDate(0, 0, credentialDays))
	if err != nil {
		return err
	}
	kept := &storepb.GroupCredentials{Pni: uuidBytes(a.pni.UUID), FetchedAt: g.config.Now().UnixMilli()}
	for _, response := range responses {
		if response.RedemptionTime.Before(day) || len(kept.Days) > credentialDays {
			continue
		}
		credential, err := g.receive(a, pni, response)
		if err != nil {
			return err
		}
		kept.Days = append(kept.Days, &storepb.GroupCredential{
			Redemption: response.RedemptionTime.Unix(), Credential: credential.Serialize(),
		})
	}
	return g.store.Update(func(tx *store.Tx) error { return tx.PutGroupCredentials(kept) })
}

func (g *groupCredentials) receive(
	a *account, pni serviceid.ServiceID, response service.GroupCredential,
) (*zkgroup.AuthCredential, error) {
	if pni != a.pni && !pni.IsZero() {
		return nil, fmt.Errorf("%w: they are for another phone-number identity", errCredentials)
	}
	credential, err := g.server.ReceiveAuthCredential(response.Credential, a.aci, a.pni, response.RedemptionTime)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errCredentials, err)
	}
	return credential, nil
}

// auth proves, for one group, that the account may ask the service about it.
func (k *groupKeeper) auth(ctx context.Context, params *zkgroup.GroupSecretParams) (service.GroupAuth, error) {
	credential, err := k.credentials.today(ctx)
	if err != nil {
		return service.GroupAuth{}, err
	}
	presentation, err := k.server.PresentAuthCredential(k.config.Rand, params, credential)
	if err != nil {
		return service.GroupAuth{}, err
	}
	return service.GroupAuth{PublicParams: params.PublicParams(), Presentation: presentation}, nil
}
