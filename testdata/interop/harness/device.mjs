// One device of an account whose keys the harness holds: a contact's phone or one of its linked devices, played by the
// official library. It encrypts for the mock's devices and opens what the mock hands over. No network, no delivery.
import crypto from 'node:crypto';
import * as signal from '@signalapp/libsignal-client';
import { decodeContent, EnvelopeType, pad, unpad } from './content.mjs';
import { Identities, KyberPreKeys, PreKeys, SenderKeys, Sessions, SignedPreKeys } from './stores.mjs';

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

/** The keys that an identity of a new device begins with: a signed one and one of last resort, both with number 1. */
export function firstKeys({ privateKey }) {
  const ec = signal.PrivateKey.generate();
  const kem = signal.KEMKeyPair.generate();
  const sign = (key) => privateKey.sign(key.serialize());
  return { signed: signal.SignedPreKeyRecord.new(1, Date.now(), ec.getPublicKey(), ec, sign(ec.getPublicKey())),
    lastResort: signal.KyberPreKeyRecord.new(1, Date.now(), kem, sign(kem.getPublicKey())) };
}

/** The state of one identity of a device. */
class Side {
  sessions = new Sessions();
  preKeys = new PreKeys();
  signedPreKeys = new SignedPreKeys();
  kyberPreKeys = new KyberPreKeys();
  senderKeys = new SenderKeys();
  lastId = 0;

  constructor(serviceId, deviceId, keyPair, registrationId) {
    this.address = signal.ProtocolAddress.new(serviceId, deviceId);
    this.identities = new Identities(keyPair, registrationId);
  }

  get keyPair() {
    return this.identities.keyPair;
  }

  /** Takes over what the service hands out before anything else is published. */
  async begin({ signed, lastResort }) {
    this.lastId = Math.max(this.lastId, 1);
    await this.signedPreKeys.saveSignedPreKey(1, signed);
    await this.kyberPreKeys.saveKyberPreKey(1, lastResort);
    this.kyberPreKeys.lastResort.add(1);
  }
}

export class Device {
  sides = new Map();
  groups = new Map(); // group id → our distribution id there, and whom it was told
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

  /** New state and new prekeys for both identities, published. Sessions of before are gone. `keys` are firstKeys. */
  async reset(keys) {
    this.groups.clear();
    for (const kind of ['ACI', 'PNI']) {
      const serviceId = this.mock.getServiceIdByKind(kind);
      if (!serviceId) continue;
      const side = new Side(serviceId, this.id, this.account.keyPairs[kind], this.backend.registrationId(this.mock, kind));
      this.sides.set(kind, side);
    }
    await this.publish(keys);
  }

  /** Publishes new prekeys for both identities, and gets a certificate to send sealed with. */
  async publish(keys = {}) {
    for (const [kind, side] of this.sides) {
      if (keys[kind]) await side.begin(keys[kind]);
      await this.#publish(kind, side);
    }
    const certificate = await this.backend.senderCertificate(this.mock);
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
    const { kind = 'ACI', sealed = true, hint = signal.ContentHint.Resendable, garbled = false, groupId } = options;
    return this.locked(async () => {
      const { sessions, identities, address: ourAddress } = this.sides.get('ACI');
      const to = await this.#sessionWith(target, kind);
      const ciphertext = await signal.signalEncrypt(pad(content), to, ourAddress, sessions, identities);
      return this.#wrap(ciphertext, to, { sealed: sealed && kind === 'ACI', hint, garbled, groupId });
    });
  }

  async #sessionWith(target, kind = 'ACI') {
    const to = signal.ProtocolAddress.new(target.getServiceIdByKind(kind), target.deviceId);
    const session = await this.sides.get('ACI').sessions.getSession(to);
    if (!session?.hasCurrentState(new Date())) await this.#startSession(target, kind, to);
    return to;
  }

  /** The registration id that our session with a device is with; begins one where there is none. */
  remoteRegistrationId(target, kind) {
    return this.locked(async () => (await this.sides.get('ACI').sessions.getSession(await this.#sessionWith(target, kind)))
      .remoteRegistrationId());
  }

  /** Our distribution in a group: its id, and the devices that were told. A new one is made where there is none. */
  distribution(groupId) {
    let distribution = this.groups.get(groupId);
    if (!distribution) {
      distribution = { id: crypto.randomUUID(), told: new Set() };
      this.groups.set(groupId, distribution);
    }
    return distribution;
  }

  /** The message that tells others our sender key in a group, as bytes. */
  senderKeyDistribution(groupId) {
    const { address, senderKeys } = this.sides.get('ACI');
    return this.locked(async () => Buffer.from((await signal.SenderKeyDistributionMessage.create(address,
      this.distribution(groupId).id, senderKeys)).serialize()));
  }

  /**
   * Encrypts serialised content once by our sender key and seals it for each of these devices: all together (multi), as
   * the service hands a multi-recipient message out, or for each alone. Answers the envelopes' contents in that order.
   */
  encryptForGroup(targets, content, { multi = true, ...options }) {
    const { identities, sessions } = this.sides.get('ACI');
    return this.locked(async () => {
      const usmc = await this.#bySenderKey(content, options);
      const contents = [];
      for (const target of targets) {
        const to = await this.#sessionWith(target);
        contents.push(Buffer.from(multi
          ? signal.sealedSenderMultiRecipientMessageForSingleRecipient(
            await signal.sealedSenderMultiRecipientEncrypt(usmc, [to], identities, sessions))
          : await signal.sealedSenderEncrypt(usmc, to, identities)));
      }
      return contents;
    });
  }

  /** The same for all of them at once: what a client uploads. */
  encryptUpload(targets, content, options) {
    const { identities, sessions } = this.sides.get('ACI');
    return this.locked(async () => {
      const to = [];
      for (const target of targets) to.push(await this.#sessionWith(target));
      const usmc = await this.#bySenderKey(content, options);
      return Buffer.from(await signal.sealedSenderMultiRecipientEncrypt(usmc, to, identities, sessions));
    });
  }

  async #bySenderKey(content, { groupId, hint = signal.ContentHint.Resendable, garbled = false }) {
    const { address, senderKeys } = this.sides.get('ACI');
    const { id } = this.distribution(groupId);
    await signal.SenderKeyDistributionMessage.create(address, id, senderKeys); // makes the key where there is none
    const ciphertext = await signal.groupEncrypt(address, id, senderKeys, pad(content));
    return this.#unsealed(ciphertext, { hint, groupId, garbled });
  }

  #unsealed(ciphertext, { hint, groupId, garbled }) {
    const message = Buffer.from(ciphertext.serialize());
    const usmc = signal.UnidentifiedSenderMessageContent.new(ciphertext, this.certificate, hint,
      groupId ? Buffer.from(groupId, 'base64') : null);
    return garbled ? signal.UnidentifiedSenderMessageContent.deserialize(garble(usmc.serialize(), message)) : usmc;
  }

  /** Plaintext content: how a device says that it could not decrypt something. */
  encryptRetryRequest(to, error, { sealed, groupId }) {
    return this.locked(() => this.#wrap(signal.PlaintextContent.from(error).asCiphertextMessage(), to,
      { sealed, groupId, hint: signal.ContentHint.Implicit }));
  }

  async #wrap(ciphertext, to, { sealed, hint, garbled, groupId }) {
    const message = Buffer.from(ciphertext.serialize());
    if (!sealed) {
      return { type: envelopeTypes.get(ciphertext.type()), content: garbled ? garble(message, message) : message,
        ciphertext: garbled ? undefined : ciphertext };
    }
    const content = await signal.sealedSenderEncrypt(this.#unsealed(ciphertext, { hint, groupId, garbled }), to,
      this.sides.get('ACI').identities);
    return { type: EnvelopeType.UNIDENTIFIED_SENDER, content: Buffer.from(content) };
  }

  async #startSession(target, kind, to) {
    const { sessions, identities, address } = this.sides.get('ACI');
    const bundle = await this.backend.takeBundle(target, kind, this.mock);
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
        const opened = unpad(Buffer.from(await this.#open(kind, inner, known)));
        await this.#learnSenderKey(kind, opened, known);
        return { ...known, content: opened };
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
    known.groupId = usmc.groupId() ? Buffer.from(usmc.groupId()).toString('base64') : undefined;
    if (!certificate.validate(this.backend.trustRoot, Date.now())) throw new Error('sender certificate is not valid');
    known.type = { [CiphertextMessageType.PreKey]: 'PreKey', [CiphertextMessageType.Whisper]: 'CipherText',
      [CiphertextMessageType.SenderKey]: 'SenderKey', [CiphertextMessageType.Plaintext]: 'Plaintext' }[usmc.msgType()];
    return usmc.contents();
  }

  async #open(kind, bytes, known) {
    const { type, source, sourceDevice } = known;
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
      case 'SenderKey':
        known.iteration = signal.SenderKeyMessage.deserialize(bytes).iteration();
        return signal.groupDecrypt(from, side.senderKeys, bytes);
      default:
        throw new Error(`envelope type ${type} is not supported`);
    }
  }

  async #learnSenderKey(kind, content, { source, sourceDevice }) {
    const { senderKeyDistributionMessage } = decodeContent(content);
    if (!senderKeyDistributionMessage) return;
    await signal.processSenderKeyDistributionMessage(signal.ProtocolAddress.new(source, sourceDevice),
      signal.SenderKeyDistributionMessage.deserialize(Buffer.from(senderKeyDistributionMessage, 'base64')),
      this.sides.get(kind).senderKeys);
  }

  /** Forgets the sender keys of an account. */
  forgetSenderKeys(serviceId) {
    for (const side of this.sides.values()) side.senderKeys.forget(`${serviceId}.`);
  }

  /** Forgets its sessions with an account, or with one device of it, as after a restore from an old backup. */
  forgetSessions(serviceId, deviceId = '') {
    for (const side of this.sides.values()) side.sessions.forget(`${serviceId}.${deviceId}`);
  }
}
