// The sandbox as a backend of the harness: the service runs elsewhere, and is spoken to over the wire alone. What only
// the service's own process can do (faults, queues, lies) is for whoever started it: interop/sandbox.go.
import crypto from 'node:crypto';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import * as signal from '@signalapp/libsignal-client';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { EnvelopeType } from './content.mjs';
import { OfficialNet } from './officialnet.mjs';
import { RemoteGroups } from './remotegroups.mjs';
import { Rest } from './rest.mjs';
import { SandboxAccount } from './sandboxaccount.mjs';

const require = createRequire(import.meta.url);
const oneTimeKeys = { ACI: 10, PNI: 2 };
const keyed = (key) => key && { keyId: key.keyId, publicKey: Buffer.from(key.publicKey, 'base64'),
  signature: key.signature && Buffer.from(key.signature, 'base64') };
const text = ({ keyId, publicKey, signature }) => ({ keyId, publicKey: Buffer.from(publicKey).toString('base64'),
  ...(signature ? { signature: Buffer.from(signature).toString('base64') } : {}) });

// Who is played here says so: what a test does to signalbox's requests is not done to theirs (interop/sandbox.go).
const userAgent = 'harness';

export class SandboxBackend {
  version = 'sandbox';
  accounts = new Map(); // by ACI
  numbers = new Set();
  StorageState = require('mock-server-27').StorageState;

  constructor({ description, environment, port, ca }) {
    Object.assign(this, { environment, port, caFile: ca });
    const { chatUrl, storageUrl, cdnUrls, caCertificates, sealedSenderTrustRoots, zkServerPublicParams } =
      JSON.parse(fs.readFileSync(description, 'utf8'));
    Object.assign(this, { chatUrl, storageUrl, cdnUrls, ca: caCertificates, trustRoots: sealedSenderTrustRoots });
    this.trustRoot = signal.PublicKey.deserialize(Buffer.from(this.trustRoots[0], 'base64'));
    this.zkParams = new zk.ServerPublicParams(Buffer.from(zkServerPublicParams, 'base64'));
    this.rest = new Rest({ ca: this.ca, headers: { 'user-agent': userAgent } });
    this.net = this.netOf({ grpc: true });
    this.groups = new RemoteGroups(this);
  }

  async start() {
    return { file: this.environment, port: this.port };
  }

  async stop() {
    for (const account of this.accounts.values()) account.leave();
    (await this.anonymously?.catch(() => undefined))?.close();
    this.rest.close();
  }

  createAccount(options) {
    return SandboxAccount.create({ ...options, backend: this });
  }

  nextNumber() {
    for (;;) {
      const number = `+141549${crypto.randomInt(10_000, 100_000)}`;
      if (!this.numbers.has(number)) {
        this.numbers.add(number);
        return number;
      }
    }
  }

  /** The official library's network client, on its way to the sandbox. */
  netOf(options) {
    return new OfficialNet({ port: Number(new URL(this.chatUrl).port), ca: this.ca[0], userAgent, ...options });
  }

  connect(credentials) {
    return this.net.connect(credentials);
  }

  /** The connection of those who do not say who they are. */
  anonymous() {
    this.anonymously ??= this.connect().then((chat) => {
      chat.onClose = () => { this.anonymously = undefined; };
      return chat;
    }, (error) => {
      this.anonymously = undefined;
      throw error;
    });
    return this.anonymously;
  }

  // What a Device (device.mjs) needs of the service.

  registrationId(device, kind) {
    return device.registrationIds[kind];
  }

  async setKeys({ chat }, kind, keys) {
    const many = async (make) => Promise.all(Array.from({ length: oneTimeKeys[kind] }, async () => text(await make())));
    await chat.request('PUT', `/v2/keys?identity=${kind.toLowerCase()}`, { signedPreKey: text(keys.signedPreKey),
      pqLastResortPreKey: text(keys.lastResortKey), preKeys: await many(keys.nextPreKey),
      pqPreKeys: await many(keys.nextKyberPreKey) });
  }

  async takeBundle(target, kind, asker) {
    const { identityKey, devices: [one] } = await asker.chat.request('GET',
      `/v2/keys/${target.getServiceIdByKind(kind)}/${target.deviceId}`);
    return { registrationId: one.registrationId, identityKey: Buffer.from(identityKey, 'base64'),
      preKey: keyed(one.preKey), signedPreKey: keyed(one.signedPreKey), kyberPreKey: keyed(one.pqPreKey) };
  }

  async senderCertificate({ chat }) {
    const { certificate } = await chat.request('GET', '/v1/certificate/delivery?includeE164=true');
    return signal.SenderCertificate.deserialize(Buffer.from(certificate, 'base64'));
  }

  // Attachments.

  async storeAttachment(blob, { primary }) {
    const form = await primary.device.chat.request('GET', `/v4/attachments/form/upload?uploadLength=${blob.length}`);
    await this.rest.must('POST', form.signedUploadLocation, { body: blob, headers: { ...form.headers,
      'tus-resumable': '1.0.0', 'upload-length': String(blob.length),
      'content-type': 'application/offset+octet-stream' } });
    return { cdnNumber: form.cdn, cdnKey: form.key };
  }

  async readAttachment({ cdnNumber = 0, cdnKey }) {
    return (await this.rest.must('GET', `${this.cdnUrls[cdnNumber]}/attachments/${cdnKey}`)).body;
  }

  // What a test has happen to accounts.

  register = (account) => account.register();
  unregister = (account) => account.unregister();
  newAccessKey = (account) => account.setAccessKey(crypto.randomBytes(16));
  link = (account, uri) => account.scan(uri);

  realDevice(account, id) {
    return [...account.others.values()].find((one) => id === undefined || one.deviceId === id);
  }

  unlink = (account, device) => account.removeDevice(device.deviceId);

  /** An envelope by hand: what its sender can write without encrypting it. */
  async deliver({ aci }, { type, sourceServiceIdBinary, content, clientTimestamp }) {
    const source = signal.ServiceId.parseFromServiceIdBinary(Buffer.from(sourceServiceIdBinary, 'base64'));
    await this.accounts.get(source.getServiceIdString()).sendRaw(this.accounts.get(aci), { type: EnvelopeType[type],
      content: Buffer.from(content, 'base64') }, clientTimestamp);
  }

  async registerDevice(account) {
    const { mock: device, password } = await account.linkDevice(); // its keys are for nobody: the player brings others
    account.others.set(device.deviceId, device);
    return { device, login: `${account.aci}.${device.deviceId}`, password };
  }

  get client() {
    return { version: this.version, port: this.port, ca: this.caFile };
  }
}
