package messenger

import (
	"errors"
	"fmt"

	"signalbox/sandbox/accounts"
	"signalbox/signalcore/protocol/curve"
	"signalbox/signalcore/protocol/prekey"
	"signalbox/signalcore/protocol/serviceid"
	"signalbox/signalcore/protocol/session"
)

func (m *Messenger) ends(other serviceid.Address) session.Ends {
	return session.Ends{Local: m.self, Remote: other}
}

func (m *Messenger) local() session.Local { return m.account.Identity.local() }

func (id *Identity) local() session.Local {
	return session.Local{Identity: id.Keys, RegistrationID: id.RegistrationID}
}

// decryptSession opens a message of a session, or one that begins one. The PNI has sessions of its own.
func (m *Messenger) decryptSession(a *arrival) ([]byte, error) {
	ends, identity, sessions := m.ends(a.from), &m.account.Identity, m.sessions
	if a.toPNI {
		ends.Local.ServiceID, identity, sessions = m.account.PNI, &m.account.PNIIdentity, m.pniSessions
	}
	var out session.Decrypted
	record := sessions[a.from]
	if a.kind == session.TypePreKey {
		parsed, err := session.ParsePreKeyMessage(a.ciphertext)
		if err != nil {
			return nil, err
		}
		keys := m.preKeys(parsed, identity)
		if out, err = session.DecryptPreKey(record, identity.local(), ends, parsed, keys); err != nil {
			return nil, err
		}
	} else {
		parsed, err := session.ParseMessage(a.ciphertext)
		if err != nil {
			return nil, err
		}
		if out, err = session.Decrypt(record, ends, parsed); err != nil {
			return nil, err
		}
	}
	putSession(sessions, a.from, out.Record)
	if err := m.use(out.Used); err != nil {
		m.log(err, "no new prekeys")
	}
	return out.Plaintext, nil
}

func (m *Messenger) putSession(with serviceid.Address, record session.Record) {
	putSession(m.sessions, with, record)
}

func putSession(sessions map[serviceid.Address]session.Record, with serviceid.Address, record session.Record) {
	if _, known := sessions[with]; !known {
		trim(sessions, maxSessions)
	}
	sessions[with] = record
}

// encryptSession encrypts for a device, with a new session where there is none with the device as it is registered now.
func (m *Messenger) encryptSession(
	to serviceid.Address, account *accounts.Account, plaintext []byte,
) (session.Encrypted, error) {
	record := m.sessions[to]
	if !m.usable(record, to, account) {
		bundle, err := m.bundle(to)
		if err != nil {
			return session.Encrypted{}, err
		}
		opening := session.Opening{Bundle: bundle, Now: m.world.Now()}
		if record, err = session.Open(m.world.Rand, record, m.local(), m.ends(to), opening); err != nil {
			return session.Encrypted{}, fmt.Errorf("open a session: %w", err)
		}
	}
	encrypted, err := session.Encrypt(m.world.Rand, record, m.ends(to), m.world.Now(), plaintext)
	if err != nil {
		return session.Encrypted{}, fmt.Errorf("encrypt: %w", err)
	}
	m.putSession(to, encrypted.Record)
	return encrypted, nil
}

// usable reports whether a session is with the device as the account has it now, and with the account's identity.
func (m *Messenger) usable(record session.Record, with serviceid.Address, account *accounts.Account) bool {
	device, known := account.Device(with.DeviceID)
	registered, err := record.RemoteRegistrationID()
	if err != nil || !known || registered != device.RegistrationID {
		return false
	}
	identity, err := record.RemoteIdentity()
	return err == nil && sameKey(identity, account.Identity) && record.CanSend(m.world.Now())
}

func sameKey(a, b curve.PublicKey) bool { return string(a.Serialize()) == string(b.Serialize()) }

var errNoPreKeys = errors.New("the device has no prekeys")

func (m *Messenger) bundle(of serviceid.Address) (prekey.Bundle, error) {
	bundles, err := m.world.Book.Bundles(of.ServiceID, of.DeviceID)
	if err != nil {
		return prekey.Bundle{}, err
	}
	if len(bundles) != 1 {
		return prekey.Bundle{}, errNoPreKeys
	}
	return bundles[0], nil
}
