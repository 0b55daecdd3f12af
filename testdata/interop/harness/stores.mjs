// The official library's stores, in memory: one set per identity (ACI, PNI) of a device.
// The library copies a session record when it loads one, so that records may be kept as they are.
import * as signal from '@signalapp/libsignal-client';

const name = (address) => `${address.name()}.${address.deviceId()}`;

export class Sessions extends signal.SessionStore {
  records = new Map();

  async saveSession(address, record) {
    this.records.set(name(address), record);
  }

  async getSession(address) {
    return this.records.get(name(address)) ?? null;
  }

  async getExistingSessions(addresses) {
    return Promise.all(addresses.map(async (address) => {
      const record = await this.getSession(address);
      if (!record) throw new Error(`no session with ${name(address)}`);
      return record;
    }));
  }

  forget(prefix) {
    for (const key of this.records.keys()) {
      if (key.startsWith(prefix)) this.records.delete(key);
    }
  }
}

export class Identities extends signal.IdentityKeyStore {
  known = new Map();

  constructor(keyPair, registrationId) {
    super();
    this.keyPair = keyPair;
    this.registrationId = registrationId;
  }

  async getIdentityKey() {
    return this.keyPair.privateKey;
  }

  async getLocalRegistrationId() {
    return this.registrationId;
  }

  async saveIdentity(address, key) {
    const before = this.known.get(name(address));
    this.known.set(name(address), key);
    return before && !before.equals(key)
      ? signal.IdentityChange.ReplacedExisting
      : signal.IdentityChange.NewOrUnchanged;
  }

  async isTrustedIdentity() {
    return true;
  }

  async getIdentity(address) {
    return this.known.get(name(address)) ?? null;
  }
}

export class PreKeys extends signal.PreKeyStore {
  records = new Map();

  async savePreKey(id, record) {
    this.records.set(id, record);
  }

  async getPreKey(id) {
    const record = this.records.get(id);
    if (!record) throw new Error(`no prekey ${id}`);
    return record;
  }

  async removePreKey(id) {
    this.records.delete(id);
  }
}

export class SignedPreKeys extends signal.SignedPreKeyStore {
  records = new Map();

  async saveSignedPreKey(id, record) {
    this.records.set(id, record);
  }

  async getSignedPreKey(id) {
    const record = this.records.get(id);
    if (!record) throw new Error(`no signed prekey ${id}`);
    return record;
  }
}

export class KyberPreKeys extends signal.KyberPreKeyStore {
  records = new Map();
  lastResort = new Set();

  async saveKyberPreKey(id, record) {
    this.records.set(id, record);
  }

  async getKyberPreKey(id) {
    const record = this.records.get(id);
    if (!record) throw new Error(`no kyber prekey ${id}`);
    return record;
  }

  async markKyberPreKeyUsed(id) {
    if (!this.lastResort.has(id)) this.records.delete(id);
  }
}

export class SenderKeys extends signal.SenderKeyStore {
  records = new Map();

  async saveSenderKey(sender, distributionId, record) {
    this.records.set(`${name(sender)}/${distributionId}`, record);
  }

  async getSenderKey(sender, distributionId) {
    return this.records.get(`${name(sender)}/${distributionId}`) ?? null;
  }

  /** Forgets the keys of one sender. */
  forget(prefix) {
    for (const key of this.records.keys()) {
      if (key.startsWith(prefix)) this.records.delete(key);
    }
  }
}
