// An account of the mock whose devices the harness plays: a contact, or the person whose phone links signalbox.
// The mock holds its directory entry and profile; the keys and the conversation are here.
import crypto from 'node:crypto';
import * as signal from '@signalapp/libsignal-client';
import { fetchAttachment } from './attachments.mjs';
import { decodeContent, encodeContacts, encodeContent, EnvelopeType } from './content.mjs';
import { encryptAttachment } from './attachments.mjs';
import { Device } from './device.mjs';

const { ErrorCode, ContentHint } = signal;

const dataOf = (content) => content.dataMessage ?? content.editMessage?.dataMessage
  ?? content.syncMessage?.sent?.message ?? content.syncMessage?.sent?.editMessage?.dataMessage;

export class Account {
  devices = [];
  keyPairs = {};
  // What it does by itself, as an app would; a test turns it on or off.
  habits = { receipts: false, retryRequests: false, answerRetryRequests: false };
  sent = new Map(); // timestamp → content, to answer retry requests

  constructor({ name, backend, cdn3Path, emit }) {
    this.name = name;
    this.backend = backend;
    this.cdn3Path = cdn3Path;
    this.emit = emit;
  }

  static async create({ name, backend, cdn3Path, emit, profileName = name }) {
    const account = new Account({ name, backend, cdn3Path, emit });
    account.primary = await backend.server.createPrimaryDevice({ profileName });
    await account.#takeOver();
    return account;
  }

  get aci() {
    return this.primary.device.aci;
  }

  get profileKey() {
    return Buffer.from(this.primary.profileKey.serialize());
  }

  describe() {
    const { aci, pni, number } = this.primary.device;
    return { name: this.name, aci, pni, number, profileName: this.primary.profileName,
      profileKey: this.profileKey.toString('base64'), devices: this.mockDevices().map((device) => device.deviceId),
      aciIdentityKey: Buffer.from(this.keyPairs.ACI.publicKey.serialize()).toString('base64') };
  }

  /** Every device the service knows of this account, signalbox's among them. */
  mockDevices() {
    const { server, shape } = this.backend;
    return server.devices.get(shape.listKey(this.primary.device)) ?? [];
  }

  // The mock made the identity keys (provisioning hands them out); the official library goes on with them.
  async #takeOver() {
    for (const [kind, key] of [['ACI', this.primary.privateKey], ['PNI', this.primary.pniPrivateKey]]) {
      const privateKey = signal.PrivateKey.deserialize(Buffer.from(key.serialize()));
      this.keyPairs[kind] = new signal.IdentityKeyPair(privateKey.getPublicKey(), privateKey);
    }
    await this.#adopt(this.primary.device);
  }

  async #adopt(mockDevice) {
    const device = new Device({ account: this, mock: mockDevice, backend: this.backend });
    await device.reset();
    this.devices.push(device);
    this.backend.server.players.set(mockDevice, device);
    return device;
  }

  async addDevice() {
    const device = await this.#adopt(await this.backend.registerDevice(this.primary));
    return device.id;
  }

  async removeDevice(id) {
    await this.backend.server.unlink(this.device(id).mock);
    this.devices = this.devices.filter((device) => device.id !== id);
  }

  device(id = 1) {
    const device = this.devices.find((one) => one.id === id);
    if (!device) throw new Error(`${this.name} has no device ${id} here`);
    return device;
  }

  /** A device starts anew: new registration ids, new prekeys, no sessions; with a new identity where asked (device 1). */
  async reinstall({ device: id = 1, newIdentity = false }) {
    const device = this.device(id);
    device.mock.registrationId = (device.mock.registrationId % 0x3ffe) + 1;
    device.mock.pniRegistrationId = (device.mock.pniRegistrationId % 0x3ffe) + 1;
    if (newIdentity) {
      for (const kind of ['ACI', 'PNI']) this.keyPairs[kind] = signal.IdentityKeyPair.generate();
    }
    await device.reset();
  }

  /** Encrypts content for the devices of an account that are not played here, and queues it for them. */
  async send(to, content, options = {}) {
    const { kind = 'ACI', sealed = true, device = 1, timestamp = Date.now(), devices, hint,
      garbled, guid, groupId } = options;
    const bytes = Buffer.isBuffer(content) ? content : encodeContent(content);
    const targets = to.mockDevices().filter((target) => !this.backend.server.players.has(target)
      && (!devices || devices.includes(target.deviceId)));
    let deliveredAt;
    for (const target of targets) {
      const message = await this.device(device).encrypt(target, bytes, { kind, sealed, hint, garbled, groupId });
      deliveredAt ??= Number(process.hrtime.bigint());
      this.#deliver(target, kind, device, message, timestamp, guid);
    }
    this.sent.set(timestamp, { content: bytes, kind, sealed, groupId });
    return { timestamp, devices: targets.map((target) => target.deviceId), deliveredAt };
  }

  /**
   * Sends content to the devices of an account that are not played here as a member of a group does: by sender key,
   * which those who lack it are told first (unless `untold`, as if that message had been lost).
   */
  async sendInGroup(to, groupId, content, options = {}) {
    const { device: id = 1, timestamp = Date.now(), guid, multi, garbled, untold = false } = options;
    const bytes = Buffer.isBuffer(content) ? content : encodeContent(content);
    const device = this.device(id);
    const targets = to.mockDevices().filter((target) => !this.backend.server.players.has(target));
    if (!untold) await this.#tellSenderKey(to, device, groupId, targets);
    const contents = await device.encryptForGroup(targets, bytes, { groupId, multi, garbled });
    const deliveredAt = Number(process.hrtime.bigint());
    targets.forEach((target, i) => this.#deliver(target, 'ACI', id,
      { type: EnvelopeType.UNIDENTIFIED_SENDER, content: contents[i] }, timestamp, guid));
    this.sent.set(timestamp, { content: bytes, kind: 'ACI', sealed: true, groupId });
    return { timestamp, devices: targets.map((target) => target.deviceId), deliveredAt };
  }

  async #tellSenderKey(to, device, groupId, targets) {
    const { told } = device.distribution(groupId);
    const mark = (target) => `${target.aci}.${target.deviceId}.${this.backend.registrationId(target, 'ACI')}`;
    const untold = targets.filter((target) => !told.has(mark(target)));
    if (untold.length === 0) return;
    const message = await device.senderKeyDistribution(groupId);
    await this.send(to, { senderKeyDistributionMessage: message.toString('base64') }, { device: device.id, groupId,
      devices: untold.map((target) => target.deviceId), hint: ContentHint.Implicit });
    for (const target of untold) told.add(mark(target));
  }

  #deliver(target, kind, deviceId, { type, content }, timestamp, guid) {
    const sealed = type === 6;
    this.backend.server.deliver(target, {
      guid,
      type,
      content,
      clientTimestamp: timestamp,
      destinationServiceIdBinary: target.getServiceIdBinaryByKind(kind),
      sourceServiceIdBinary: sealed ? undefined : this.primary.device.aciBinary,
      sourceDeviceId: sealed ? undefined : deviceId,
    });
  }

  /** What the mock brought for one of our devices. */
  async receive(device, envelope) {
    const event = { event: 'received', account: this.name, device: device.id, kind: envelope.kind,
      timestamp: envelope.timestamp };
    try {
      const message = await device.decrypt(envelope);
      const { inner, ...known } = message;
      const content = decodeContent(message.content);
      this.#learnGroup(content);
      this.emit({ ...event, ...known, content, attachments: await this.#attachments(content) });
      await this.#react(device, known, envelope, content);
    } catch (error) {
      const { inner, ...known } = error.known ?? {};
      const duplicate = error.code === ErrorCode.DuplicatedMessage;
      this.emit({ ...event, event: duplicate ? 'duplicate' : 'undecryptable', ...known, error: String(error.message) });
      if (!duplicate && this.habits.retryRequests && error.known) await this.#askAgain(device, envelope, error.known);
    }
  }

  #learnGroup(content) {
    const masterKey = dataOf(content)?.groupV2?.masterKey;
    if (masterKey) this.backend.onMasterKey?.(Buffer.from(masterKey, 'base64'));
  }

  #attachments(content) {
    const data = dataOf(content);
    return Promise.all((data?.attachments ?? []).map((pointer) => fetchAttachment(this.cdn3Path, pointer)));
  }

  async #react(device, known, envelope, content) {
    const source = this.backend.accounts.get(known.source);
    if (!source) return;
    if (this.habits.receipts && (content.dataMessage || content.editMessage)) {
      await this.send(source, { receiptMessage: { type: 'DELIVERY', timestamp: [envelope.timestamp] } },
        { device: device.id, sealed: known.sealed });
    }
    const request = content.syncMessage?.request;
    if (request && source === this) await this.#answerSync(request.type, known.sourceDevice);
    if (content.decryptionErrorMessage && this.habits.answerRetryRequests) {
      await this.#resend(device, source, known, Buffer.from(content.decryptionErrorMessage, 'base64'));
    }
  }

  // A device that could not decrypt says so (Signal-Desktop ts/util/handleRetry).
  async #askAgain(device, envelope, known) {
    const source = this.backend.accounts.get(known.source);
    const target = source?.mockDevices().find((one) => one.deviceId === known.sourceDevice);
    if (!target || !known.inner) return;
    const type = { CipherText: 2, PreKey: 3, SenderKey: 7 }[known.type];
    const error = signal.DecryptionErrorMessage.forOriginal(known.inner, type, envelope.timestamp, known.sourceDevice);
    const to = signal.ProtocolAddress.new(source.aci, known.sourceDevice);
    const message = await device.encryptRetryRequest(to, error, known);
    this.#deliver(target, 'ACI', device.id, message, Date.now());
  }

  async #resend(device, source, known, bytes) {
    const request = signal.DecryptionErrorMessage.deserialize(bytes);
    const original = this.sent.get(request.timestamp());
    this.emit({ event: 'retryRequest', account: this.name, device: device.id, source: known.source,
      sourceDevice: known.sourceDevice, timestamp: request.timestamp(), forDevice: request.deviceId(),
      known: original !== undefined });
    // A lost sender key says nothing about the session (Signal-Desktop ts/util/handleRetry).
    if (request.ratchetKey()) device.forgetSessions(source.aci);
    if (original) {
      const content = original.groupId
        ? await this.#withSenderKey(device, original.groupId, original.content) : original.content;
      await this.send(source, content, { ...original, timestamp: request.timestamp(), device: device.id,
        devices: [known.sourceDevice] });
    }
  }

  // The resent message brings the sender key with it.
  async #withSenderKey(device, groupId, bytes) {
    const message = await device.senderKeyDistribution(groupId);
    return encodeContent({ ...decodeContent(bytes), senderKeyDistributionMessage: message.toString('base64') });
  }

  // The phone answers its linked device.
  async #answerSync(type, deviceId) {
    const message = await this.#syncAnswer(type);
    if (!message) return;
    await this.send(this, { syncMessage: message }, { sealed: false, devices: [deviceId] });
  }

  async #syncAnswer(type) {
    switch (type) {
      case 'CONTACTS':
        return { contacts: { blob: await this.#contactsBlob(), complete: true } };
      case 'BLOCKED':
        return { blocked: this.blocked ?? {} };
      case 'CONFIGURATION':
        return { configuration: { readReceipts: true, unidentifiedDeliveryIndicators: false,
          typingIndicators: true, linkPreviews: false } };
      case 'KEYS':
        return { keys: { accountEntropyPool: this.primary.accountEntropyPool,
          master: Buffer.from(this.primary.masterKey).toString('base64'),
          mediaRootBackupKey: Buffer.from(this.primary.mediaRootBackupKey).toString('base64') } };
      default:
        return undefined;
    }
  }

  async #contactsBlob() {
    const contacts = (this.contacts ?? []).map((contact) => ({ number: contact.primary.device.number,
      name: contact.primary.profileName, aciBinary: contact.primary.device.aciRawUuid }));
    const { blob, pointer } = await encryptAttachment(encodeContacts(contacts));
    const cdnKey = crypto.randomUUID();
    await this.backend.server.storeAttachmentOnCdn(3, cdnKey, blob);
    return { ...pointer, cdnKey, cdnNumber: 3, contentType: 'application/octet-stream' };
  }
}
