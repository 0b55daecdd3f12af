// Known answers of the official library for packages curve, kem and session: agreements, signatures, retry requests,
// and the starts of sessions that a recipient must be able to decrypt.
//
//   cd testdata/interop && node vectors/session.mjs      (writes testdata/vectors/session.json)
import { writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import * as signal from '@signalapp/libsignal-client';

const hex = (b) => Buffer.from(b).toString('hex');
const base64 = (b) => Buffer.from(b).toString('base64');
const aliceName = '9d0652a3-dcc3-4d11-975f-74d61598733f';
const bobName = '796abedb-ca4e-4f18-8803-1fde5b921f9f';
const pni = (name) => `PNI:${name}`;
const now = new Date(1700000000000);

function agreements() {
  return Array.from({ length: 6 }, () => {
    const a = signal.PrivateKey.generate();
    const b = signal.PrivateKey.generate();
    return {
      private: hex(a.serialize()), public: hex(a.getPublicKey().serialize()),
      other: hex(b.getPublicKey().serialize()), secret: hex(a.agree(b.getPublicKey())),
    };
  });
}

function signatures() {
  const out = [];
  for (let i = 0; i < 8; i++) {
    const key = signal.PrivateKey.generate();
    const other = signal.PrivateKey.generate().getPublicKey();
    const message = randomBytes(i * 7);
    const signature = key.sign(message);
    const pair = new signal.IdentityKeyPair(key.getPublicKey(), key);
    const spoiled = Buffer.from(signature);
    spoiled[[0, 31, 32, 40, 62, 63, 63, 63][i]] ^= [1, 2, 4, 8, 16, 32, 64, 128][i];
    out.push({
      public: hex(key.getPublicKey().serialize()), message: hex(message), signature: hex(signature),
      spoiled: hex(spoiled), spoiledValid: key.getPublicKey().verify(message, spoiled),
      other: hex(other.serialize()), alternate: hex(pair.signAlternateIdentity(other)),
    });
  }
  return out;
}

// Stores that hold live objects, for one remote device.
const stores = (identity, registrationId) => ({
  session: new (class extends signal.SessionStore {
    async saveSession(_, record) { this.record = record; }
    async getSession() { return this.record ?? null; }
    async getExistingSessions() { return [this.record]; }
  })(),
  identity: new (class extends signal.IdentityKeyStore {
    async getIdentityKey() { return identity; }
    async getLocalRegistrationId() { return registrationId; }
    async saveIdentity() { return signal.IdentityChange.NewOrUnchanged; }
    async isTrustedIdentity() { return true; }
    async getIdentity() { return null; }
  })(),
});

// A session that Alice opens with Bob, all of whose secrets are recorded, and her first messages.
async function start({ name, withOneTime, to, count, order }) {
  const alice = signal.PrivateKey.generate();
  const bob = signal.PrivateKey.generate();
  const signed = signal.PrivateKey.generate();
  const oneTime = signal.PrivateKey.generate();
  const kyber = signal.KEMKeyPair.generate();
  const local = signal.ProtocolAddress.new(aliceName, 3);
  const remote = signal.ProtocolAddress.new(to, 2);
  const { session, identity } = stores(alice, 1234);
  const signedSignature = bob.sign(signed.getPublicKey().serialize());
  const kyberSignature = bob.sign(kyber.getPublicKey().serialize());
  const bundle = signal.PreKeyBundle.new(
    5678, 2, withOneTime ? 31337 : null, withOneTime ? oneTime.getPublicKey() : null, 22, signed.getPublicKey(),
    signedSignature, bob.getPublicKey(), 888, kyber.getPublicKey(), kyberSignature);
  await signal.processPreKeyBundle(bundle, remote, local, session, identity, now);
  const messages = [];
  for (let i = 0; i < count; i++) {
    const plaintext = randomBytes([0, 1, 15, 16, 17, 160][i % 6]);
    const m = await signal.signalEncrypt(plaintext, remote, local, session, identity, now);
    const retry = signal.DecryptionErrorMessage.forOriginal(m.serialize(), m.type(), 1700000000000 + i, 3);
    messages.push({
      plaintext: base64(plaintext), type: m.type(), ciphertext: base64(m.serialize()),
      retry: base64(signal.PlaintextContent.from(retry).serialize()),
    });
  }
  return {
    name, order,
    alice: { address: [aliceName, 3], registrationId: 1234, identity: hex(alice.getPublicKey().serialize()) },
    bob: {
      address: [to, 2], registrationId: 5678, identity: hex(bob.serialize()),
      oneTimeId: withOneTime ? 31337 : undefined, oneTime: withOneTime ? hex(oneTime.serialize()) : undefined,
      signedId: 22, signed: hex(signed.serialize()), signedSignature: hex(signedSignature),
      kyberId: 888, kyber: base64(kyber.getSecretKey().serialize()),
      kyberPublic: base64(kyber.getPublicKey().serialize()), kyberSignature: hex(kyberSignature),
    },
    messages,
  };
}

const out = {
  generator: 'testdata/interop/vectors/session.mjs, @signalapp/libsignal-client 0.103.0',
  agreements: agreements(),
  signatures: signatures(),
  starts: [
    await start({ name: 'in order', withOneTime: true, to: bobName, count: 6, order: [0, 1, 2, 3, 4, 5] }),
    await start({ name: 'out of order, some lost', withOneTime: true, to: bobName, count: 12, order: [7, 2, 11, 5, 6] }),
    await start({ name: 'no one-time prekey, to the PNI', withOneTime: false, to: pni(bobName), count: 3, order: [1, 0, 2] }),
  ],
};
writeFileSync(new URL('../../vectors/session.json', import.meta.url), JSON.stringify(out, null, 1) + '\n');
