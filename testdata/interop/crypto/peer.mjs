// The official library behind JSON lines: one request on stdin, one reply on stdout. The Go tests drive it as the other
// side of a conversation.
//
// A request is {op, ...}; a reply is {ok: true, ...} or {ok: false, error: <libsignal's error name>, message}. Bytes are
// base64. Stores keep serialised records only, so that each step of the library starts from what a restart would find.
import * as signal from '@signalapp/libsignal-client';
import { serve } from '../official/lines.mjs';

const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const text = (b) => Buffer.from(b).toString('base64');
const address = ([name, device]) => signal.ProtocolAddress.new(name, device);

class Sessions extends signal.SessionStore {
  records = new Map();
  async saveSession(name, record) { this.records.set(name.toString(), record.serialize()); }
  async getSession(name) {
    const record = this.records.get(name.toString());
    return record ? signal.SessionRecord.deserialize(record) : null;
  }
  async getExistingSessions(names) { return Promise.all(names.map((n) => this.getSession(n))); }
}

class Identities extends signal.IdentityKeyStore {
  known = new Map();
  constructor(key, registrationId) { super(); this.key = key; this.registrationId = registrationId; }
  async getIdentityKey() { return this.key; }
  async getLocalRegistrationId() { return this.registrationId; }
  async saveIdentity(name, key) {
    const before = this.known.get(name.toString());
    this.known.set(name.toString(), key.serialize());
    return before && Buffer.compare(before, key.serialize())
      ? signal.IdentityChange.ReplacedExisting : signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity() { return true; }
  async getIdentity(name) {
    const key = this.known.get(name.toString());
    return key ? signal.PublicKey.deserialize(key) : null;
  }
}

class PreKeys extends signal.PreKeyStore {
  records = new Map();
  async savePreKey(id, record) { this.records.set(id, record.serialize()); }
  async getPreKey(id) {
    if (!this.records.has(id)) throw new Error(`no prekey ${id}`);
    return signal.PreKeyRecord.deserialize(this.records.get(id));
  }
  async removePreKey(id) { this.records.delete(id); }
}

class SignedPreKeys extends signal.SignedPreKeyStore {
  records = new Map();
  async saveSignedPreKey(id, record) { this.records.set(id, record.serialize()); }
  async getSignedPreKey(id) {
    if (!this.records.has(id)) throw new Error(`no signed prekey ${id}`);
    return signal.SignedPreKeyRecord.deserialize(this.records.get(id));
  }
}

class KyberPreKeys extends signal.KyberPreKeyStore {
  records = new Map();
  used = [];
  async saveKyberPreKey(id, record) { this.records.set(id, record.serialize()); }
  async getKyberPreKey(id) {
    if (!this.records.has(id)) throw new Error(`no Kyber prekey ${id}`);
    return signal.KyberPreKeyRecord.deserialize(this.records.get(id));
  }
  async markKyberPreKeyUsed(id, signedId, baseKey) {
    this.used.push([id, signedId, text(baseKey.serialize())]);
    this.records.delete(id);
  }
}

class Party {
  nextId = 1;
  constructor(name, device, registrationId) {
    this.address = signal.ProtocolAddress.new(name, device);
    this.identity = signal.PrivateKey.generate();
    this.identities = new Identities(this.identity, registrationId);
    this.registrationId = registrationId;
    this.sessions = new Sessions();
    this.preKeys = new PreKeys();
    this.signed = new SignedPreKeys();
    this.kyber = new KyberPreKeys();
  }

  async bundle(withOneTime) {
    const id = this.nextId++;
    const oneTime = signal.PrivateKey.generate();
    const signed = signal.PrivateKey.generate();
    const signedSignature = this.identity.sign(signed.getPublicKey().serialize());
    const kyber = signal.KEMKeyPair.generate();
    const kyberSignature = this.identity.sign(kyber.getPublicKey().serialize());
    if (withOneTime) {
      await this.preKeys.savePreKey(id, signal.PreKeyRecord.new(id, oneTime.getPublicKey(), oneTime));
    }
    await this.signed.saveSignedPreKey(id,
      signal.SignedPreKeyRecord.new(id, 1, signed.getPublicKey(), signed, signedSignature));
    await this.kyber.saveKyberPreKey(id, signal.KyberPreKeyRecord.new(id, 1, kyber, kyberSignature));
    return {
      registrationId: this.registrationId,
      deviceId: this.address.deviceId(),
      identity: text(this.identity.getPublicKey().serialize()),
      oneTimeId: withOneTime ? id : undefined,
      oneTime: withOneTime ? text(oneTime.getPublicKey().serialize()) : undefined,
      signedId: id,
      signed: text(signed.getPublicKey().serialize()),
      signedSignature: text(signedSignature),
      kyberId: id,
      kyber: text(kyber.getPublicKey().serialize()),
      kyberSignature: text(kyberSignature),
    };
  }
}

const parties = new Map();

const operations = {
  async create({ party, name, device, registrationId }) {
    const p = new Party(name, device, registrationId);
    parties.set(party, p);
    return { identity: text(p.identity.getPublicKey().serialize()) };
  },
  async remove({ party }) { parties.delete(party); },
  async bundle({ party, oneTime }) { return { bundle: await parties.get(party).bundle(oneTime) }; },
  async open({ party, remote, bundle: b, now }) {
    const p = parties.get(party);
    const bundle = signal.PreKeyBundle.new(
      b.registrationId, b.deviceId, b.oneTimeId ?? null,
      b.oneTime ? signal.PublicKey.deserialize(bytes(b.oneTime)) : null,
      b.signedId, signal.PublicKey.deserialize(bytes(b.signed)), bytes(b.signedSignature),
      signal.PublicKey.deserialize(bytes(b.identity)),
      b.kyberId, signal.KEMPublicKey.deserialize(bytes(b.kyber)), bytes(b.kyberSignature));
    await signal.processPreKeyBundle(
      bundle, address(remote), p.address, p.sessions, p.identities, new Date(now));
  },
  async encrypt({ party, remote, plaintext, now }) {
    const p = parties.get(party);
    const message = await signal.signalEncrypt(
      bytes(plaintext), address(remote), p.address, p.sessions, p.identities, new Date(now));
    return { type: message.type(), ciphertext: text(message.serialize()) };
  },
  async decrypt({ party, remote, type, ciphertext }) {
    const p = parties.get(party);
    const plaintext = type === signal.CiphertextMessageType.PreKey
      ? await signal.signalDecryptPreKey(
        signal.PreKeySignalMessage.deserialize(bytes(ciphertext)), address(remote), p.address,
        p.sessions, p.identities, p.preKeys, p.signed, p.kyber)
      : await signal.signalDecrypt(
        signal.SignalMessage.deserialize(bytes(ciphertext)), address(remote), p.address,
        p.sessions, p.identities);
    return { plaintext: text(plaintext) };
  },
  async archive({ party, remote }) {
    const p = parties.get(party);
    const record = await p.sessions.getSession(address(remote));
    record.archiveCurrentState();
    await p.sessions.saveSession(address(remote), record);
  },
  async matches({ party, remote, key }) {
    const record = await parties.get(party).sessions.getSession(address(remote));
    return { matches: record.currentRatchetKeyMatches(signal.PublicKey.deserialize(bytes(key))) };
  },
  // A retry request for a message, bare and as the message that carries it.
  async retry({ type, ciphertext, timestamp, device }) {
    const error = signal.DecryptionErrorMessage.forOriginal(bytes(ciphertext), type, timestamp, device);
    return {
      serialized: text(error.serialize()),
      plaintext: text(signal.PlaintextContent.from(error).serialize()),
    };
  },
  async parseRetry({ plaintext }) {
    const content = signal.PlaintextContent.deserialize(bytes(plaintext));
    const error = signal.DecryptionErrorMessage.extractFromSerializedBody(content.body());
    const key = error.ratchetKey();
    return { timestamp: error.timestamp(), device: error.deviceId(), key: key && text(key.serialize()) };
  },
  async sign({ privateKey, message }) {
    return { signature: text(signal.PrivateKey.deserialize(bytes(privateKey)).sign(bytes(message))) };
  },
  async verify({ publicKey, message, signature }) {
    return { valid: signal.PublicKey.deserialize(bytes(publicKey)).verify(bytes(message), bytes(signature)) };
  },
  async signAlternate({ privateKey, other }) {
    const key = signal.PrivateKey.deserialize(bytes(privateKey));
    const pair = new signal.IdentityKeyPair(key.getPublicKey(), key);
    return { signature: text(pair.signAlternateIdentity(signal.PublicKey.deserialize(bytes(other)))) };
  },
  async verifyAlternate({ publicKey, other, signature }) {
    const key = signal.PublicKey.deserialize(bytes(publicKey));
    return { valid: key.verifyAlternateIdentity(signal.PublicKey.deserialize(bytes(other)), bytes(signature)) };
  },
  // Microseconds for each encryption and decryption, within the library's own process.
  async time({ count, pingPong }) {
    const alice = new Party('9d0652a3-dcc3-4d11-975f-74d61598733f', 1, 1);
    const bob = new Party('796abedb-ca4e-4f18-8803-1fde5b921f9f', 1, 2);
    parties.set('time', alice);
    const name = (p) => [p.address.name(), p.address.deviceId()];
    const b = await bob.bundle(true);
    await operations.open({ party: 'time', remote: name(bob), bundle: b, now: 1 });
    const total = { encrypt: 0n, decrypt: 0n };
    const message = new Uint8Array(160);
    const send = async (from, to) => {
      const t0 = process.hrtime.bigint();
      const m = await signal.signalEncrypt(message, to.address, from.address, from.sessions, from.identities, new Date(1));
      const t1 = process.hrtime.bigint();
      parties.set('time', to);
      await operations.decrypt(
        { party: 'time', remote: name(from), type: m.type(), ciphertext: text(m.serialize()) });
      total.encrypt += t1 - t0;
      total.decrypt += process.hrtime.bigint() - t1;
    };
    await send(alice, bob);
    await send(bob, alice);
    total.encrypt = total.decrypt = 0n;
    for (let i = 0; i < count; i++) await (pingPong && i % 2 ? send(bob, alice) : send(alice, bob));
    parties.delete('time');
    return { encrypt: Number(total.encrypt) / count / 1000, decrypt: Number(total.decrypt) / count / 1000 };
  },
};

await serve(async (request) => {
  try {
    return { ok: true, ...(await operations[request.op](request)) };
  } catch (e) {
    return { ok: false, error: signal.ErrorCode[e.code] ?? e.name, message: String(e.message) };
  }
});
