package phone

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/content/profilecipher"
	"signalbox/signalcore/protocol/accountkeys"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/profilekey"
	"signalbox/signalcore/protocol/serviceid"
)

// State is a phone to be stored. Sessions are not in it: they are made anew, as with a phone whose messages were lost.
type State struct {
	Number     string
	ACI, PNI   uuid.UUID
	ACIKeys    IdentityState
	PNIKeys    IdentityState
	ProfileKey []byte
	Pool       string
	Password   string
	Given      string
	Family     string
}

// IdentityState is one of its identities.
type IdentityState struct {
	Private        []byte
	RegistrationID uint32
	Signed         []byte
	LastResort     []byte
}

// Snapshot is the phone as it is, and stays while during runs. It and its account have the same identity then.
func (p *Phone) Snapshot(during func()) State {
	p.mu.Lock()
	defer p.mu.Unlock()
	during()
	return State{
		Number: p.Number, ACI: p.ACI.UUID, PNI: p.PNI.UUID, ACIKeys: identityState(p.ACIKeys),
		PNIKeys: identityState(p.PNIKeys), ProfileKey: p.ProfileKey[:], Pool: p.Pool.Reveal(), Password: p.Password,
		Given: p.options.Name.Given, Family: p.options.Name.Family,
	}
}

func identityState(id Identity) IdentityState {
	return IdentityState{id.Keys.Private[:], id.RegistrationID, id.Signed.Serialize(), id.LastResort.Serialize()}
}

// Restore is the phone of a snapshot, whose account the book has. Of the options, the number and the name are the
// snapshot's.
func Restore(book *accounts.Book, options Options, s State) (*Phone, error) {
	options.Number, options.Name = s.Number, profilecipher.Name{Given: s.Given, Family: s.Family}
	p := &Phone{
		Number: s.Number, ACI: serviceid.NewACI(s.ACI), PNI: serviceid.NewPNI(s.PNI), Password: s.Password,
		book: book, options: options,
	}
	var errs [4]error
	p.ACIKeys, errs[0] = s.ACIKeys.identity()
	p.PNIKeys, errs[1] = s.PNIKeys.identity()
	p.Pool, errs[2] = accountkeys.ParseEntropyPool(s.Pool)
	if len(s.ProfileKey) == len(profilekey.Key{}) {
		p.ProfileKey = profilekey.Key(s.ProfileKey)
	} else {
		errs[3] = errors.New("no profile key")
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	return p, p.reclaim()
}

// reclaim registers the identity anew where the account has another: in a state of an earlier version, the snapshots of
// the two were taken apart.
func (p *Phone) reclaim() error {
	account := p.book.Find(p.ACI)
	if account == nil {
		return fmt.Errorf("phone: there is no account %s", p.ACI.Short())
	}
	if account.Identity == p.ACIKeys.Keys.Public {
		return nil
	}
	return p.book.SetIdentity(p.ACI, p.ACIKeys.Keys.Public, p.ACIKeys.RegistrationID, linkKeys(&p.ACIKeys))
}

func (s IdentityState) identity() (id Identity, err error) {
	private, err := curve.ParsePrivateKey(s.Private)
	if err != nil {
		return id, err
	}
	id.Keys, id.RegistrationID = private.KeyPair(), s.RegistrationID
	if id.Signed, err = prekey.ParseSigned(s.Signed); err != nil {
		return id, err
	}
	id.LastResort, err = prekey.ParseKyber(s.LastResort)
	return id, err
}
