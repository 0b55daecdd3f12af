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

func (m *Messenger) local() session.Local {
	return session.Local{Identity: m.account.Identity.Keys, RegistrationID: m.account.Identity.RegistrationID}
}

// decryptSession opens a message of a session, or one that begins one.
func (m *Messenger) decryptSession(from serviceid.Address, kind session.Type, message []byte) ([]byte, error) {
	var out session.Decrypted
	record := m.sessions[from]
	if kind == session.TypePreKey {
		parsed, err := session.ParsePreKeyMessage(message)
		if err != nil {
			return nil, err
		}
		if out, err = session.DecryptPreKey(record, m.local(), m.ends(from), parsed, m.preKeys(parsed)); err != nil {
			return nil, err
		}
	} else {
		parsed, err := session.ParseMessage(message)
		if err != nil {
			return nil, err
		}
		if out, err = session.Decrypt(record, m.ends(from), parsed); err != nil {
			return nil, err
		}
	}
	m.putSession(from, out.Record)
	if err := m.use(out.Used); err != nil {
		m.log(err, "no new prekeys")
	}
	return out.Plaintext, nil
}

func (m *Messenger) putSession(with serviceid.Address, record session.Record) {
	if _, known := m.sessions[with]; !known {
		trim(m.sessions, maxSessions)
	}
	m.sessions[with] = record
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
