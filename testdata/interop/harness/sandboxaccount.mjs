// An account of the sandbox, whose devices are clients like any other: they register, link, keep a websocket open, take and
// acknowledge what comes, and send as the apps do, to every device, and again when the service says that devices differ.
import crypto from 'node:crypto';
import * as signal from '@signalapp/libsignal-client';
import { GroupSendFullToken } from '@signalapp/libsignal-client/zkgroup.js';
import { Account } from './account.mjs';
import { basic } from './chat.mjs';
import { encodeContent, Envelope, EnvelopeType } from './content.mjs';
import { Device, firstKeys } from './device.mjs';
import { describeError } from './officialnet.mjs';
import { Phone, ServiceDevice } from './phone.mjs';

const { ContentHint, ErrorCode } = signal;
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const registrationIds = () => ({ ACI: crypto.randomInt(1, 0x3ffe), PNI: crypto.randomInt(1, 0x3ffe) });
const tries = 6;
const pause = () => new Promise((resolve) => setTimeout(resolve, 100));
const lost = new Set([ErrorCode.IoError, ErrorCode.ChatServiceInactive]);
const mediaType = 'content-type:application/vnd.signal-messenger.mrm';
const typeNames = { [EnvelopeType.DOUBLE_RATCHET]: 'CipherText', [EnvelopeType.PREKEY_MESSAGE]: 'PreKey',
  [EnvelopeType.UNIDENTIFIED_SENDER]: 'SealedSender', [EnvelopeType.PLAINTEXT_CONTENT]: 'Plaintext' };

/** The signed keys that a device has to bring when it comes to be: for the request, and for itself. */
function activation(keyPairs) {
  const made = { request: {}, keys: {} };
  for (const [kind, pair] of Object.entries(keyPairs)) {
    const keys = firstKeys(pair);
    const text = (record) => ({ keyId: record.id(), publicKey: base64(record.publicKey().serialize()),
      signature: base64(record.signature()) });
    made.keys[kind] = keys;
    made.request[`${kind.toLowerCase()}SignedPreKey`] = text(keys.signed);
    made.request[`${kind.toLowerCase()}PqLastResortPreKey`] = text(keys.lastResort);
  }
  return made;
}

export class SandboxAccount extends Account {
  others = new Map(); // devices that are not played here, by number
  registered = false;

  static async create({ name, backend, emit, profileName = name }) {
    const account = new SandboxAccount({ name, backend, emit });
    for (const kind of ['ACI', 'PNI']) account.keyPairs[kind] = signal.IdentityKeyPair.generate();
    const primary = new Phone({ backend, number: backend.nextNumber(), profileName });
    primary.identities = () => account.keyPairs;
    primary.chat = () => primary.device.chat;
    account.primary = primary;
    primary.device.registrationIds = registrationIds();
    await account.register();
    return account;
  }

  /** Registers, for the first time or again: what the account's device has of sessions stays. */
  async register() {
    if (this.registered) return;
    const { device } = this.primary;
    const identities = Object.fromEntries(Object.entries(this.keyPairs)
      .map(([kind, pair]) => [kind, pair.publicKey.serialize()]));
    const { request, keys } = activation(this.keyPairs);
    await this.primary.register({ registrationIds: device.registrationIds, identities, activation: request });
    this.registered = true;
    await this.#adopt({ mock: device, password: this.primary.password, keys });
    await this.primary.publishProfile(device.chat);
  }

  async unregister() {
    if (!this.registered) return;
    this.registered = false;
    const { chat } = this.primary.device;
    chat.onClose = undefined;
    await chat.request('DELETE', '/v1/accounts/me').catch((error) => {
      if (error.code !== ErrorCode.ConnectionInvalidated) throw error; // its answer may come too late for us
    });
    for (const { mock } of this.devices) mock.chat.close();
  }

  /** Ends its connections; it stays registered with the service. */
  leave() {
    this.registered = false;
    for (const { mock } of this.devices) mock.chat.close();
  }

  serviceDevices() {
    return [...this.devices.map(({ mock }) => mock), ...this.others.values()];
  }

  /** Plays a device, which begins with these keys: connects it, and publishes more. */
  async #adopt({ mock, password, keys }) {
    await this.#connect(mock, password);
    let device = this.devices.find((one) => one.mock === mock);
    if (device) await device.publish(keys);
    else {
      device = new Device({ account: this, mock, backend: this.backend });
      await device.reset(keys);
      this.devices.push(device);
      mock.player = device;
    }
    this.#listen(device);
    return device;
  }

  async #connect(mock, password) {
    mock.password = password;
    mock.chat = await this.backend.connect({ login: `${this.aci}.${mock.deviceId}`, password });
  }

  #listen(device) {
    const { mock } = device;
    const { chat } = mock;
    chat.onClose = () => { if (mock.chat === chat) void this.#reconnect(device); };
    chat.listen(async ({ body, acknowledge }) => {
      const envelope = Envelope.decode(body);
      this.emit({ event: 'envelope', account: this.name, device: device.id, timestamp: Number(envelope.clientTimestamp),
        guid: Buffer.from(envelope.serverGuidBinary).toString('hex') });
      if (this.habits.hold) return;
      await this.#take(device, envelope);
      acknowledge();
    });
  }

  /** Connects anew, as after a restart. */
  async reconnect(id) {
    const device = this.device(id);
    const { chat } = device.mock;
    chat.onClose = undefined;
    await chat.connection.disconnect();
    await this.#connect(device.mock, device.mock.password);
    this.#listen(device);
  }

  // A connection may be cut, by a fault for one.
  async #reconnect(device) {
    while (this.registered && this.devices.includes(device)) {
      try {
        await this.#connect(device.mock, device.mock.password);
        this.#listen(device);
        return;
      } catch {
        await pause();
      }
    }
  }

  async #take(device, envelope) {
    const type = typeNames[envelope.type];
    if (!type) return; // the service's own receipts
    const serviceId = (binary) => signal.ServiceId.parseFromServiceIdBinary(Buffer.from(binary));
    const kind = serviceId(envelope.destinationServiceIdBinary) instanceof signal.Pni ? 'PNI' : 'ACI';
    const source = envelope.sourceServiceIdBinary?.length ? { deviceId: envelope.sourceDeviceId,
      aci: serviceId(envelope.sourceServiceIdBinary).getServiceIdString() } : undefined;
    try {
      await this.receive(device, { type, kind, source, content: envelope.content,
        timestamp: Number(envelope.clientTimestamp) });
    } catch (error) {
      console.error(`harness: ${this.name}:`, error);
    }
  }

  // Devices.

  /** Links one more; answers it, its password, and the keys that it begins with. */
  async linkDevice() {
    const { verificationCode } = await this.primary.device.chat.request('GET', '/v1/devices/provisioning/code');
    const password = crypto.randomBytes(12).toString('hex');
    const ids = registrationIds();
    const { unidentifiedAccessKey, ...attributes } = this.primary.attributes(ids);
    const { request, keys } = activation(this.keyPairs);
    const { body } = await this.backend.rest.must('PUT', `${this.backend.chatUrl}/v1/devices/link`, {
      headers: { 'content-type': 'application/json', authorization: basic(this.primary.number, password) },
      body: Buffer.from(JSON.stringify({ verificationCode, accountAttributes: attributes, ...request })) });
    const mock = new ServiceDevice(this.primary, JSON.parse(body.toString()).deviceId);
    mock.registrationIds = ids;
    return { mock, password, keys };
  }

  async addDevice() {
    const device = await this.#adopt(await this.linkDevice());
    return device.id;
  }

  /** Unlinks a device, whoever plays it. */
  async removeDevice(id) {
    const device = this.devices.find((one) => one.id === id);
    this.devices = this.devices.filter((one) => one !== device);
    this.others.delete(id);
    await this.primary.device.chat.request('DELETE', `/v1/devices/${id}`);
    device?.mock.chat.close();
  }

  /** Scans a linking code, and waits until the new device is there; answers its number. */
  async scan(uri) {
    const { chat } = this.primary.device;
    const devices = async () => (await chat.request('GET', '/v1/devices')).devices.map(({ id }) => id);
    const before = new Set(await devices());
    await this.primary.scan(chat, uri);
    for (const deadline = Date.now() + 120_000; Date.now() < deadline;) {
      const id = (await devices()).find((one) => !before.has(one));
      if (id !== undefined) {
        this.others.set(id, new ServiceDevice(this.primary, id));
        return id;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`${this.name}: no device linked itself`);
  }

  async setAccessKey(accessKey) {
    const { chat, registrationIds: ids } = this.primary.device;
    await chat.request('PUT', '/v1/accounts/attributes', this.primary.attributes(ids, accessKey));
  }

  /** The account registers anew: new registration ids, new prekeys, no sessions; with a new identity where asked. */
  async reinstall({ newIdentity = false }) {
    const { mock } = this.device();
    mock.registrationIds = { ACI: (mock.registrationIds.ACI % 0x3ffe) + 1, PNI: (mock.registrationIds.PNI % 0x3ffe) + 1 };
    if (newIdentity) for (const kind of ['ACI', 'PNI']) this.keyPairs[kind] = signal.IdentityKeyPair.generate();
    mock.chat.onClose = undefined;
    this.devices = [];
    this.registered = false;
    await this.register();
  }

  // Sending.

  /** Encrypts content for all devices of an account, and sends it. */
  async send(to, content, options = {}) {
    const { kind = 'ACI', sealed = true, device: id = 1, timestamp = Date.now(), hint, garbled, groupId, once } = options;
    const bytes = Buffer.isBuffer(content) ? content : encodeContent(content);
    const device = this.device(id);
    const seal = sealed && kind === 'ACI' && to !== this;
    const devices = await this.#transmit(to, { kind, device, timestamp, sealed: seal, once }, (target) =>
      device.encrypt(target, bytes, { kind, sealed: seal, hint, garbled: garbled && !target.player, groupId }));
    this.sent.set(timestamp, { content: bytes, kind, sealed, groupId });
    return { timestamp, devices, deliveredAt: Number(process.hrtime.bigint()) };
  }

  /** Sends bytes as they are to all devices of an account, without sealing them. */
  sendRaw(to, message, timestamp) {
    return this.#transmit(to, { kind: 'ACI', device: this.device(), timestamp, sealed: false }, () => message);
  }

  #targets(to, device) {
    return to.serviceDevices().filter((target) => target !== device.mock);
  }

  async #transmit(to, { kind, device, timestamp, sealed, once }, encrypt) {
    const destination = to.primary.device.getServiceIdByKind(kind);
    for (let i = 0; i < tries; i++) {
      const targets = this.#targets(to, device);
      const messages = [];
      for (const target of targets) {
        const registrationId = await device.remoteRegistrationId(target, kind);
        messages.push({ ...await encrypt(target), deviceId: target.deviceId, registrationId });
      }
      if (messages.length === 0 && to === this) return []; // nobody else to tell
      const put = () => this.#put(to, device, { destination, timestamp, sealed, messages });
      if (once) await put();
      if (once || await this.#accepted(to, device, kind, put)) {
        return targets.map((target) => target.deviceId);
      }
    }
    throw new Error(`${this.name} to ${to.name}: not sent in ${tries} tries`);
  }

  // By the library's own calls, but for what it does not send: what a test has made unreadable, or by hand.
  async #put(to, device, { destination, timestamp, sealed, messages }) {
    if (sealed) {
      const anonymous = await this.backend.anonymous();
      return anonymous.send(destination, { timestamp, messages, auth: { accessKey: to.primary.accessKey } });
    }
    const { chat } = device.mock;
    if (messages.every(({ ciphertext }) => ciphertext)) {
      return chat.send(destination, { timestamp, self: to === this,
        messages: messages.map((one) => ({ ...one, content: one.ciphertext })) });
    }
    return chat.request('PUT', `/v1/messages/${destination}?story=false`, { destination, timestamp, online: false,
      urgent: true, messages: messages.map(({ type, deviceId, registrationId, content }) => ({ type, destinationDeviceId: deviceId,
        destinationRegistrationId: registrationId, content: content.toString('base64') })) });
  }

  /**
   * Whether the service has taken a message; otherwise it is for the next try, as the apps do: after what it says of the
   * devices, or on another connection.
   */
  async #accepted(to, device, kind, send) {
    try {
      await send();
      return true;
    } catch (error) {
      if (lost.has(error.code)) await this.#connected(device);
      else if (!this.#mendAll(to, device, kind, error)) {
        throw new Error(`${this.name} to ${to.name}: ${JSON.stringify(describeError(error))}`);
      }
      return false;
    }
  }

  async #connected({ mock }) {
    do await pause(); while (mock.chat.closed && this.registered);
  }

  #mendAll(to, device, kind, { code, entries, status, json }) {
    if (status === 409 || status === 410) {
      for (const one of [json].flat()) this.#mend(to, device, kind, one.devices ?? one);
      return true;
    }
    if (code !== ErrorCode.MismatchedDevices) return false;
    for (const entry of entries) this.#mend(to, device, kind, entry);
    return true;
  }

  // What the service says of the devices.
  #mend(to, device, kind, { missingDevices = [], extraDevices = [], staleDevices = [] }) {
    for (const id of missingDevices) {
      if (!this.#known(to, id)) to.others.set(id, new ServiceDevice(to.primary, id));
    }
    for (const id of extraDevices) to.others.delete(id);
    for (const id of [...extraDevices, ...staleDevices]) {
      device.forgetSessions(to.primary.device.getServiceIdByKind(kind), id);
    }
  }

  #known = (to, id) => to.serviceDevices().some(({ deviceId }) => deviceId === id);

  /**
   * Sends content to an account's devices as a member of a group does: by sender key, which those who lack it are told
   * first (unless `untold`, as if that message had been lost), in one upload.
   */
  async sendInGroup(to, groupId, content, options = {}) {
    const { device: id = 1, timestamp = Date.now(), garbled, untold = false, once } = options;
    const bytes = Buffer.isBuffer(content) ? content : encodeContent(content);
    const device = this.device(id);
    for (let i = 0; i < tries; i++) {
      if (!untold) await this.#tellSenderKey(to, device, groupId);
      const targets = this.#targets(to, device);
      const payload = await device.encryptUpload(targets, bytes, { groupId, garbled });
      const upload = () => this.#upload(to, groupId, payload, timestamp);
      if (once) await upload();
      if (once || await this.#accepted(to, device, 'ACI', upload)) {
        this.sent.set(timestamp, { content: bytes, kind: 'ACI', sealed: true, groupId });
        return { timestamp, devices: targets.map((target) => target.deviceId),
          deliveredAt: Number(process.hrtime.bigint()) };
      }
    }
    throw new Error(`${this.name} to ${to.name}: not sent in ${tries} tries`);
  }

  // A member shows an endorsement of the recipient; who is none, and knows the recipient, the access key, for which the
  // library has no call any more.
  async #upload(to, groupId, payload, timestamp) {
    const token = await this.backend.groups.tokenFor(groupId, this, to);
    const anonymous = await this.backend.anonymous();
    if (token) {
      const auth = new GroupSendFullToken(Buffer.from(token, 'base64'));
      return anonymous.sendToMany(payload, { timestamp, auth });
    }
    return anonymous.request('PUT', `/v1/messages/multi_recipient?ts=${timestamp}&online=false&urgent=true&story=false`,
      payload, [mediaType, `unidentified-access-key:${base64(to.primary.accessKey)}`]);
  }

  async #tellSenderKey(to, device, groupId) {
    const { told } = device.distribution(groupId);
    const marks = () => Promise.all(this.#targets(to, device).map(async (target) =>
      `${target.aci}.${target.deviceId}.${await device.remoteRegistrationId(target, 'ACI')}`));
    if ((await marks()).every((mark) => told.has(mark))) return;
    const message = await device.senderKeyDistribution(groupId);
    await this.send(to, { senderKeyDistributionMessage: message.toString('base64') },
      { device: device.id, groupId, hint: ContentHint.Implicit });
    for (const mark of await marks()) told.add(mark);
  }

  /** Tells an account that we could not decrypt a message of it: all its devices, as the apps do. */
  async sendRetryRequest(device, source, error, known) {
    const timestamp = Date.now();
    await this.#transmit(source, { kind: 'ACI', device, timestamp, sealed: known.sealed }, (target) =>
      device.encryptRetryRequest(signal.ProtocolAddress.new(target.aci, target.deviceId), error, known));
  }
}
