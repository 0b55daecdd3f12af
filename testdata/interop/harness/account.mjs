// An account whose devices the harness plays: a contact, or the person whose phone links signalbox. The keys and the
// conversation are here. How the account comes to be, and how its messages travel, is for who extends it: MockAccount and
// SandboxAccount.
import * as signal from '@signalapp/libsignal-client';
import { encryptAttachment, fetchAttachment } from './attachments.mjs';
import { decodeContent, encodeContacts, encodeContent } from './content.mjs';

const { ErrorCode } = signal;

const dataOf = (content) => content.dataMessage ?? content.editMessage?.dataMessage
  ?? content.syncMessage?.sent?.message ?? content.syncMessage?.sent?.editMessage?.dataMessage;

export class Account {
  devices = [];
  keyPairs = {};
  // What it does by itself, as an app would; a test turns it on or off.
  habits = { receipts: false, retryRequests: false, answerRetryRequests: false };
  sent = new Map(); // timestamp → content, to answer retry requests
  read = new Set(); // which messages have been read, by device, sender and timestamp

  constructor({ name, backend, emit }) {
    this.name = name;
    this.backend = backend;
    this.emit = emit;
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
      profileKey: this.profileKey.toString('base64'), devices: this.serviceDevices().map((device) => device.deviceId),
      aciIdentityKey: Buffer.from(this.keyPairs.ACI.publicKey.serialize()).toString('base64') };
  }

  device(id = 1) {
    const device = this.devices.find((one) => one.id === id);
    if (!device) throw new Error(`${this.name} has no device ${id} here`);
    return device;
  }

  /** What the service brought for one of our devices. */
  async receive(device, envelope) {
    const event = { event: 'received', account: this.name, device: device.id, kind: envelope.kind,
      timestamp: envelope.timestamp };
    try {
      const message = await device.decrypt(envelope);
      const { inner, ...known } = message;
      const content = decodeContent(message.content);
      if (this.#repeated(device, known, envelope, content)) {
        this.emit({ ...event, ...known, event: 'repeated', content });
        return;
      }
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

  // A message that its sender did not know to have arrived, and encrypted once more, has the time of the first: the apps
  // drop it by that (Signal-Android V191_UniqueMessageMigration, Signal-Desktop messages_duplicate_check).
  #repeated(device, { source, sourceDevice }, { timestamp }, content) {
    if (!content.dataMessage) return false;
    const name = [device.id, source, sourceDevice, timestamp].join();
    return this.read.has(name) || void this.read.add(name);
  }

  #learnGroup(content) {
    const masterKey = dataOf(content)?.groupV2?.masterKey;
    if (masterKey) this.backend.onMasterKey?.(Buffer.from(masterKey, 'base64'));
  }

  #attachments(content) {
    const data = dataOf(content);
    return Promise.all((data?.attachments ?? []).map((pointer) => fetchAttachment((one) => this.backend.readAttachment(one), pointer)));
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
    if (!source || !known.inner) return;
    const type = { CipherText: 2, PreKey: 3, SenderKey: 7 }[known.type];
    const error = signal.DecryptionErrorMessage.forOriginal(known.inner, type, envelope.timestamp, known.sourceDevice);
    await this.sendRetryRequest(device, source, error, known);
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
    return { ...pointer, ...(await this.backend.storeAttachment(blob, this)),
      contentType: 'application/octet-stream' };
  }
}
