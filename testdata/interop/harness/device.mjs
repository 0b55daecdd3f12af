// One device of an account whose keys the harness holds: a contact's phone or one of its linked devices, played by the
// official library. It encrypts for the mock's devices and opens what the mock hands over. No network, no delivery.
import * as signal from '@signalapp/libsignal-client';
import { EnvelopeType, pad, unpad } from './content.mjs';
import { Identities, KyberPreKeys, PreKeys, Sessions, SignedPreKeys } from './stores.mjs';

const { CiphertextMessageType } = signal;
const envelopeTypes = new Map([
  [CiphertextMessageType.Whisper, EnvelopeType.DOUBLE_RATCHET],
  [CiphertextMessageType.PreKey, EnvelopeType.PREKEY_MESSAGE],
  [CiphertextMessageType.Plaintext, EnvelopeType.PLAINTEXT_CONTENT],
]);

/** Changes the last byte of the message's MAC wherever it stands in `bytes`: whole on the outside, unreadable inside. */
function garble(bytes, message) {
  const at = Buffer.from(bytes).indexOf(message);
  const copy = Buffer.from(bytes);
  copy[at + message.length - 1] ^= 1;
  return copy;
}

/** The state of one identity of a device. */
class Side {
  sessions = new Sessions();
  preKeys = new PreKeys();
  signedPreKeys = new SignedPreKeys();
  kyberPreKeys = new KyberPreKeys();
  lastId = 0;

  constructor(serviceId, deviceId, keyPair, registrationId) {
    this.address = signal.ProtocolAddress.new(serviceId, deviceId);
    this.identities = new Identities(keyPair, registrationId);
  }

  get keyPair() {
    return this.identities.keyPair;
  }
}

export class Device {
  sides = new Map();
  queue = Promise.resolve();

  /** @param mock the mock's own Device, @param backend the version-specific half (mock.mjs) */
  constructor({ account, mock, backend }) {
    this.account = account;
    this.mock = mock;
    this.backend = backend;
  }

  get id() {
    return this.mock.deviceId;
  }

  /** New state and new prekeys for both identities, published in the mock. Sessions of before are gone. */
  async reset() {
    for (const kind of ['ACI', 'PNI']) {
      const serviceId = this.mock.getServiceIdByKind(kind);
      if (!serviceId) continue;
      const side = new Side(serviceId, this.id, this.account.keyPairs[kind], this.backend.registrationId(this.mock, kind));
      this.sides.set(kind, side);
      await this.#publish(kind, side);
    }
    const certificate = await this.backend.server.getSenderCertificate(this.mock);
    this.certificate = signal.SenderCertificate.deserialize(Buffer.from(certificate.serialize()));
  }

  async #publish(kind, side) {
    const signed = signal.PrivateKey.generate();
    const signature = side.keyPair.privateKey.sign(signed.getPublicKey().serialize());
    const signedId = ++side.lastId;
    await side.signedPreKeys.saveSignedPreKey(signedId,
      signal.SignedPreKeyRecord.new(signedId, Date.now(), signed.getPublicKey(), signed, signature));
    const lastResort = await this.#newKyber(side);
    side.kyberPreKeys.lastResort.add(lastResort.keyId);
    await this.backend.setKeys(this.mock, kind, {
      identityKey: side.keyPair.publicKey.serialize(),
      signedPreKey: { keyId: signedId, publicKey: signed.getPublicKey().serialize(), signature },
      lastResortKey: lastResort,
      nextPreKey: () => this.#newPreKey(side),
      nextKyberPreKey: () => this.#newKyber(side),
    });
  }

  async #newPreKey(side) {
    const key = signal.PrivateKey.generate();
    const keyId = ++side.lastId;
    await side.preKeys.savePreKey(keyId, signal.PreKeyRecord.new(keyId, key.getPublicKey(), key));
    return { keyId, publicKey: key.getPublicKey().serialize() };
  }

  async #newKyber(side) {
    const pair = signal.KEMKeyPair.generate();
    const publicKey = pair.getPublicKey().serialize();
    const signature = side.keyPair.privateKey.sign(publicKey);
    const keyId = ++side.lastId;
    await side.kyberPreKeys.saveKyberPreKey(keyId, signal.KyberPreKeyRecord.new(keyId, Date.now(), pair, signature));
    return { keyId, publicKey, signature };
  }

  /** Runs one operation at a time: the library's stores are asynchronous, a ratchet is not. */
  locked(operation) {
    const result = this.queue.then(operation);
    this.queue = result.catch(() => undefined);
    return result;
  }

  /** Encrypts serialised content for one device; answers the envelope's type and content. */
  encrypt(target, content, options = {}) {
    const { kind = 'ACI', sealed = true, hint = signal.ContentHint.Resendable, garbled = false } = options;
    return this.locked(async () => {
      const { sessions, identities, address: ourAddress } = this.sides.get('ACI');
      const to = signal.ProtocolAddress.new(target.getServiceIdByKind(kind), target.deviceId);
      const session = await sessions.getSession(to);
      if (!session?.hasCurrentState(new Date())) await this.#startSession(target, kind, to);
      const ciphertext = await signal.signalEncrypt(pad(content), to, ourAddress, sessions, identities);
      return this.#wrap(ciphertext, to, { sealed: sealed && kind === 'ACI', hint, garbled });
    });
  }

  /** Plaintext content: how a device says that it could not decrypt something. */
  encryptRetryRequest(to, error, sealed) {
    return this.locked(() => this.#wrap(signal.PlaintextContent.from(error).asCiphertextMessage(), to,
      { sealed, hint: signal.ContentHint.Implicit }));
  }

  async #wrap(ciphertext, to, { sealed, hint, garbled }) {
    const message = Buffer.from(ciphertext.serialize());
    if (!sealed) {
      return { type: envelopeTypes.get(ciphertext.type()), content: garbled ? garble(message, message) : message };
    }
    let usmc = signal.UnidentifiedSenderMessageContent.new(ciphertext, this.certificate, hint, null);
    if (garbled) usmc = signal.UnidentifiedSenderMessageContent.deserialize(garble(usmc.serialize(), message));
    const content = await signal.sealedSenderEncrypt(usmc, to, this.sides.get('ACI').identities);
    return { type: EnvelopeType.UNIDENTIFIED_SENDER, content: Buffer.from(content) };
  }

  async #startSession(target, kind, to) {
    const { sessions, identities, address } = this.sides.get('ACI');
    const bundle = await this.backend.takeBundle(target, kind);
    const preKeyBundle = signal.PreKeyBundle.new(
      bundle.registrationId, target.deviceId, bundle.preKey?.keyId ?? null,
      bundle.preKey ? signal.PublicKey.deserialize(bundle.preKey.publicKey) : null,
      bundle.signedPreKey.keyId, signal.PublicKey.deserialize(bundle.signedPreKey.publicKey),
      bundle.signedPreKey.signature, signal.PublicKey.deserialize(bundle.identityKey),
      bundle.kyberPreKey.keyId, signal.KEMPublicKey.deserialize(bundle.kyberPreKey.publicKey),
      bundle.kyberPreKey.signature);
    await signal.processPreKeyBundle(preKeyBundle, to, address, sessions, identities);
  }

  /** Opens an envelope; answers {source, sourceDevice, sealed, type, content} or throws with what was known of it. */
  decrypt({ type, kind, source, content }) {
    return this.locked(async () => {
      const known = { sealed: type === 'SealedSender', type, source: source?.aci, sourceDevice: source?.deviceId };
      try {
        const inner = known.sealed ? await this.#unseal(kind, content, known) : content;
        known.inner = inner;
        return { ...known, content: unpad(Buffer.from(await this.#open(kind, inner, known))) };
      } catch (error) {
        throw Object.assign(error, { known });
      }
    });
  }

  async #unseal(kind, content, known) {
    const usmc = await signal.sealedSenderDecryptToUsmc(content, this.sides.get(kind).identities);
    const certificate = usmc.senderCertificate();
    known.source = certificate.senderUuid();
    known.sourceDevice = certificate.senderDeviceId();
    known.hint = usmc.contentHint();
    if (!certificate.validate(this.backend.trustRoot, Date.now())) throw new Error('sender certificate is not valid');
    known.type = { [CiphertextMessageType.PreKey]: 'PreKey', [CiphertextMessageType.Whisper]: 'CipherText',
      [CiphertextMessageType.Plaintext]: 'Plaintext' }[usmc.msgType()];
    return usmc.contents();
  }

  async #open(kind, bytes, { type, source, sourceDevice }) {
    const side = this.sides.get(kind);
    const from = signal.ProtocolAddress.new(source, sourceDevice);
    switch (type) {
      case 'Plaintext':
        return signal.PlaintextContent.deserialize(bytes).body();
      case 'CipherText':
        return signal.signalDecrypt(signal.SignalMessage.deserialize(bytes), from, side.address, side.sessions,
          side.identities);
      case 'PreKey':
        return signal.signalDecryptPreKey(signal.PreKeySignalMessage.deserialize(bytes), from, side.address,
          side.sessions, side.identities, side.preKeys, side.signedPreKeys, side.kyberPreKeys);
      default:
        throw new Error(`envelope type ${type} is not supported`);
    }
  }

  /** Forgets its sessions with an account, as after a restore from an old backup. */
  forgetSessions(serviceId) {
    for (const side of this.sides.values()) side.sessions.forget(`${serviceId}.`);
  }
}
