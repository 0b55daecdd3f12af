// An account of the mock: its messages are put into the mock's queues without the mock's doing.
import * as signal from '@signalapp/libsignal-client';
import { Account } from './account.mjs';
import { encodeContent, EnvelopeType } from './content.mjs';
import { Device } from './device.mjs';

const { ContentHint } = signal;

export class MockAccount extends Account {
  static async create({ name, backend, emit, profileName = name }) {
    const account = new MockAccount({ name, backend, emit });
    account.primary = await backend.server.createPrimaryDevice({ profileName });
    await account.#takeOver();
    return account;
  }

  /** Every device the service knows of this account, signalbox's among them. */
  serviceDevices() {
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
    const device = await this.#adopt(await this.backend.addDevice(this.primary));
    return device.id;
  }

  async removeDevice(id) {
    await this.backend.server.unlink(this.device(id).mock);
    this.devices = this.devices.filter((device) => device.id !== id);
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
    const targets = to.serviceDevices().filter((target) => !this.backend.server.players.has(target)
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
    const targets = to.serviceDevices().filter((target) => !this.backend.server.players.has(target));
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

  /** Tells another account's device that we could not decrypt a message of it. */
  async sendRetryRequest(device, source, error, known) {
    const target = source.serviceDevices().find((one) => one.deviceId === known.sourceDevice);
    if (!target) return;
    const to = signal.ProtocolAddress.new(source.aci, known.sourceDevice);
    const message = await device.encryptRetryRequest(to, error, known);
    this.#deliver(target, 'ACI', device.id, message, Date.now());
  }
}
