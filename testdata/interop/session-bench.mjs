// What the official library takes for a session message through Node: encrypting and decrypting one way, and in
// ping-pong, where each message takes a Diffie-Hellman step. Records are serialised between steps, as a client that
// keeps them on disk does. Prints JSON: microseconds each.
import * as signal from '@signalapp/libsignal-client';
import { Identities, KyberPreKeys, PreKeys, Sessions, SignedPreKeys } from './harness/stores.mjs';

const rounds = Number(process.argv[2] ?? 1000);

class StoredSessions extends Sessions {
  async saveSession(address, record) {
    this.bytes = record.serialize();
  }

  async getSession() {
    return this.bytes ? signal.SessionRecord.deserialize(this.bytes) : null;
  }
}

function party(name) {
  const privateKey = signal.PrivateKey.generate();
  const pair = new signal.IdentityKeyPair(privateKey.getPublicKey(), privateKey);
  return { address: signal.ProtocolAddress.new(name, 1), pair, sessions: new StoredSessions(),
    identities: new Identities(pair, 5), preKeys: new PreKeys(), signed: new SignedPreKeys(), kyber: new KyberPreKeys() };
}

async function bundleOf(one) {
  const ec = signal.PrivateKey.generate();
  const signed = signal.PrivateKey.generate();
  const kem = signal.KEMKeyPair.generate();
  const sign = (key) => one.pair.privateKey.sign(key.serialize());
  await one.preKeys.savePreKey(1, signal.PreKeyRecord.new(1, ec.getPublicKey(), ec));
  await one.signed.saveSignedPreKey(1, signal.SignedPreKeyRecord.new(1, Date.now(), signed.getPublicKey(), signed,
    sign(signed.getPublicKey())));
  await one.kyber.saveKyberPreKey(1, signal.KyberPreKeyRecord.new(1, Date.now(), kem, sign(kem.getPublicKey())));
  return signal.PreKeyBundle.new(5, 1, 1, ec.getPublicKey(), 1, signed.getPublicKey(), sign(signed.getPublicKey()),
    one.pair.publicKey, 1, kem.getPublicKey(), sign(kem.getPublicKey()));
}

const encrypt = (from, to) => signal.signalEncrypt(Buffer.alloc(160), to.address, from.address, from.sessions,
  from.identities);

async function decrypt(from, to, message) {
  const bytes = message.serialize();
  return message.type() === signal.CiphertextMessageType.PreKey
    ? signal.signalDecryptPreKey(signal.PreKeySignalMessage.deserialize(bytes), from.address, to.address, to.sessions,
      to.identities, to.preKeys, to.signed, to.kyber)
    : signal.signalDecrypt(signal.SignalMessage.deserialize(bytes), from.address, to.address, to.sessions, to.identities);
}

const spent = { oneWayEncrypt: 0, oneWayDecrypt: 0, pingPongEncrypt: 0, pingPongDecrypt: 0 };
async function timed(what, operation) {
  const started = performance.now();
  const result = await operation();
  spent[what] += performance.now() - started;
  return result;
}

const alice = party('9d0652a3-dcc3-4d11-975f-74d61598733f');
const bob = party('796abedb-ca4e-4f18-8803-1fde5b921f9f');
await signal.processPreKeyBundle(await bundleOf(bob), bob.address, alice.address, alice.sessions, alice.identities);
await decrypt(alice, bob, await encrypt(alice, bob));
await decrypt(bob, alice, await encrypt(bob, alice));

const ciphertexts = [];
for (let i = 0; i < rounds; i++) ciphertexts.push(await timed('oneWayEncrypt', () => encrypt(alice, bob)));
for (const message of ciphertexts) await timed('oneWayDecrypt', () => decrypt(alice, bob, message));
for (let i = 0; i < rounds; i++) {
  const [from, to] = i % 2 ? [alice, bob] : [bob, alice];
  const message = await timed('pingPongEncrypt', () => encrypt(from, to));
  await timed('pingPongDecrypt', () => decrypt(from, to, message));
}
for (const what of Object.keys(spent)) spent[what] = Math.round((spent[what] / rounds) * 1000);
process.stdout.write(`${JSON.stringify(spent)}\n`);
