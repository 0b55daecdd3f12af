package messenger

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/session"
)

const (
	// stockSize is how many one-time prekeys of each kind are uploaded at a time: few, as whoever talks to a device of the
	// sandbox is one of few. The apps upload 100.
	stockSize = 20
	// stockLow is how many have to be left with the service.
	stockLow = 10
	// maxStock bounds those that were handed out and may still come back.
	maxStock = 10 * stockSize
)

// stock are the secret halves of one-time prekeys.
type stock struct {
	ec    map[uint32]prekey.EC
	kyber map[uint32]prekey.Kyber
	next  uint32 // id; 0 before the first
}

// restock uploads one-time prekeys where the service is about to run out of them.
func (m *Messenger) restock() error {
	var left struct{ Count, PQCount int }
	err := m.callJSON(m.own(http.MethodGet, "/v2/keys", url.Values{"identity": {"aci"}}), nil, &left)
	if err != nil {
		return fmt.Errorf("prekeys: %w", err)
	}
	if m.stock.next != 0 && left.Count >= stockLow && left.PQCount >= stockLow {
		return nil
	}
	request, err := m.newStock()
	if err != nil {
		return fmt.Errorf("prekeys: %w", err)
	}
	if err := m.callJSON(m.own(http.MethodPut, "/v2/keys", url.Values{"identity": {"aci"}}), request, nil); err != nil {
		return fmt.Errorf("prekeys: %w", err)
	}
	return nil
}

type keysUpload struct {
	EC    []accounts.PreKey       `json:"preKeys"`
	Kyber []accounts.SignedPreKey `json:"pqPreKeys"`
}

// newStock makes keys. Their numbers begin anywhere, so that a device that was restarted does not take those of before
// for its own.
func (m *Messenger) newStock() (*keysUpload, error) {
	if m.stock.next == 0 {
		var random [4]byte
		if _, err := io.ReadFull(m.world.Rand, random[:]); err != nil {
			return nil, err
		}
		m.stock = stock{
			ec: map[uint32]prekey.EC{}, kyber: map[uint32]prekey.Kyber{},
			next: 2 + binary.BigEndian.Uint32(random[:])%(prekey.MaxID/2), // 1 is the last resort's
		}
	}
	trim(m.stock.ec, maxStock-stockSize)
	trim(m.stock.kyber, maxStock-stockSize)
	ec, err := prekey.GenerateEC(m.world.Rand, m.stock.next, stockSize)
	if err != nil {
		return nil, err
	}
	identity := m.account.Identity.Keys.Private
	kyber, err := prekey.GenerateKyber(m.world.Rand, identity, m.stock.next, stockSize, m.world.Now())
	if err != nil {
		return nil, err
	}
	m.stock.next += stockSize
	out := &keysUpload{}
	for _, k := range ec {
		m.stock.ec[k.ID] = k
		out.EC = append(out.EC, accounts.PreKey{ID: int64(k.ID), PublicKey: k.Public().Key.Serialize()})
	}
	for _, k := range kyber {
		m.stock.kyber[k.ID] = k
		public := k.Public()
		out.Kyber = append(out.Kyber, accounts.SignedPreKey{
			ID: int64(public.ID), PublicKey: public.Key.Serialize(), Signature: public.Signature,
		})
	}
	return out, nil
}

// preKeys are those of an identity that a message names; what is missing stays nil. The PNI has no one-time keys.
func (m *Messenger) preKeys(message *session.PreKeyMessage, identity *Identity) (keys session.PreKeys) {
	if message.OneTimeID != nil {
		if key, ok := m.stock.ec[*message.OneTimeID]; ok {
			keys.OneTime = &key
		}
	}
	if message.SignedID == identity.Signed.ID {
		keys.Signed = &identity.Signed
	}
	if key, ok := m.stock.kyber[message.KyberID]; ok {
		keys.Kyber = &key
	} else if message.KyberID == identity.LastResort.ID {
		keys.Kyber = &identity.LastResort
	}
	return keys
}

// use forgets the one-time prekeys that opened a session.
func (m *Messenger) use(used *session.Used) error {
	if used == nil {
		return nil
	}
	if used.OneTimeID != nil {
		delete(m.stock.ec, *used.OneTimeID)
	}
	if !used.LastResort {
		delete(m.stock.kyber, used.KyberID)
	}
	return m.restock()
}
