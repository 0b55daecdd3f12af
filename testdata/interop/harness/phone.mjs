// The primary device of an account of the sandbox, as far as it is not messages: the account's keys, its registration and
// profile, its storage service, and the linking of new devices. It has the fields of the mock's own PrimaryDevice that the
// harness uses, and encrypts with the same functions (mock-server src/crypto, src/api/storage-state).
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import * as signal from '@signalapp/libsignal-client';
import { AccountEntropyPool } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { basic } from './chat.mjs';

const require = createRequire(import.meta.url);
const mockCrypto = require('mock-server-27/src/crypto.js');
const { StorageState } = require('mock-server-27/src/api/storage-state.js');
const { signalservice: proto } = require('mock-server-27/protos/compiled.js');
const theirLibrary = createRequire(require.resolve('mock-server-27'))('@signalapp/libsignal-client');

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const nameSizes = [53, 257]; // of a profile's name before it is encrypted
const day = 86_400;

/** A device that the service has, whoever plays it. */
export class ServiceDevice {
  constructor(phone, deviceId) {
    Object.assign(this, { phone, deviceId });
  }

  get aci() { return this.phone.aci; }
  get pni() { return this.phone.pni; }
  get number() { return this.phone.number; }
  get aciBinary() { return signal.Aci.parseFromServiceIdString(this.aci).getServiceIdBinary(); }
  get aciRawUuid() { return signal.Aci.parseFromServiceIdString(this.aci).getRawUuidBytes(); }
  get pniRawUuid() { return signal.Pni.parseFromServiceIdString(this.pni).getRawUuidBytes(); }
  getServiceIdByKind(kind) { return kind === 'PNI' ? this.pni : this.aci; }
}

export class Phone {
  profileKey = new zk.ProfileKey(crypto.randomBytes(32));
  accountEntropyPool = AccountEntropyPool.generate();
  masterKey = mockCrypto.deriveMasterKey(this.accountEntropyPool);
  mediaRootBackupKey = crypto.randomBytes(32);
  storageRecordIkm = crypto.randomBytes(32);
  storageKey = mockCrypto.deriveStorageKey(this.masterKey);
  password = crypto.randomBytes(12).toString('hex');

  constructor({ backend, number, profileName }) {
    Object.assign(this, { backend, number, profileName });
    this.device = new ServiceDevice(this, 1);
  }

  get accessKey() {
    return Buffer.from(this.profileKey.deriveAccessKey());
  }

  /** Says whose the number is; answers nothing. `activation` are the keys that every device begins with. */
  async register({ registrationIds, identities, activation }) {
    const { status, body } = await this.backend.rest.call('POST', `${this.backend.chatUrl}/sandbox/register`, {
      headers: { 'content-type': 'application/json', authorization: basic(this.number, this.password) },
      body: Buffer.from(JSON.stringify({ sessionId: 'verified', skipDeviceTransfer: true,
        accountAttributes: this.attributes(registrationIds), aciIdentityKey: base64(identities.ACI),
        pniIdentityKey: base64(identities.PNI), ...activation })) });
    if (status !== 200) throw new Error(`registration of ${this.number}: ${status} ${body}`);
    const { uuid, pni } = JSON.parse(body.toString());
    Object.assign(this, { aci: uuid, pni: `PNI:${pni}` });
  }

  attributes(registrationIds, accessKey = this.accessKey) {
    return { fetchesMessages: true, registrationId: registrationIds.ACI, pniRegistrationId: registrationIds.PNI,
      unidentifiedAccessKey: base64(accessKey),
      capabilities: { storage: true, spqr: true, usernameChangeSyncMessage: true } };
  }

  async publishProfile(chat) {
    const aci = signal.Aci.parseFromServiceIdString(this.aci);
    const name = Buffer.from(this.profileName);
    const padded = Buffer.alloc(nameSizes.find((size) => size >= name.length));
    name.copy(padded);
    const sealed = (bytes) => base64(mockCrypto.encryptProfileName(this.profileKey.serialize(), bytes));
    await chat.request('PUT', '/v1/profile', { version: this.profileKey.getProfileKeyVersion(aci).toString(),
      commitment: base64(this.profileKey.getCommitment(aci).serialize()), name: sealed(padded),
      phoneNumberSharing: sealed(Buffer.from([1])), avatar: false, sameAvatar: false });
  }

  /** Scans a linking code: sends the account to the device that waits behind it. */
  async scan(chat, uri) {
    const { searchParams } = new URL(uri);
    const key = theirLibrary.PublicKey.deserialize(Buffer.from(searchParams.get('pub_key'), 'base64'));
    const { verificationCode } = await chat.request('GET', '/v1/devices/provisioning/code');
    const { body, ephemeralKey } = mockCrypto.encryptProvisionMessage(
      Buffer.from(proto.ProvisionMessage.encode(this.#provision(verificationCode))), key);
    const envelope = Buffer.from(proto.ProvisionEnvelope.encode({ publicKey: ephemeralKey, body }));
    await chat.request('PUT', `/v1/provisioning/${encodeURIComponent(searchParams.get('uuid'))}`,
      { body: envelope.toString('base64') });
  }

  #provision(provisioningCode) {
    const { ACI, PNI } = this.identities();
    return { aciIdentityKeyPrivate: ACI.privateKey.serialize(), aciIdentityKeyPublic: ACI.publicKey.serialize(),
      pniIdentityKeyPrivate: PNI.privateKey.serialize(), pniIdentityKeyPublic: PNI.publicKey.serialize(),
      number: this.number, aciBinary: this.device.aciRawUuid, pniBinary: this.device.pniRawUuid, provisioningCode,
      profileKey: this.profileKey.serialize(), userAgent: 'OWI', readReceipts: true,
      provisioningVersion: proto.ProvisioningVersion.CURRENT, masterKey: this.masterKey, ephemeralBackupKey: null,
      mediaRootBackupKey: this.mediaRootBackupKey, accountEntropyPool: this.accountEntropyPool,
      authCredentialSalt: null };
  }

  // The storage service: the mock's own reading and writing of it, over the wire.

  async #storage(method, path, body) {
    this.storageLogin ??= await this.chat().request('GET', '/v1/storage/auth');
    const { username, password } = this.storageLogin;
    return this.backend.rest.call(method, `${this.backend.storageUrl}/v1/storage${path}`, { body,
      headers: { authorization: basic(username, password), 'content-type': 'application/x-protobuf' } });
  }

  async getStorageState() {
    for (;;) {
      const { status, body } = await this.#storage('GET', '/manifest');
      if (status === 404) return undefined;
      if (status !== 200) throw new Error(`storage manifest: ${status}`);
      const state = await this.#stateOf(proto.StorageManifest.decode(body));
      if (state) return state; // otherwise another device has written a new one meanwhile
    }
  }

  async #stateOf(manifest) {
    const { identifiers, version } = mockCrypto.decryptStorageManifest(this.storageKey, manifest);
    const values = await this.#storageItems(identifiers.map(({ raw }) => raw));
    if (values.size < identifiers.length) return undefined;
    return new StorageState(version, identifiers.map(({ type, raw }) => {
      const key = Buffer.from(raw);
      const { record } = mockCrypto.decryptStorageItem({ storageKey: this.storageKey,
        recordIkm: this.storageRecordIkm, item: { key, value: values.get(key.toString('hex')) } });
      return { type, key, record };
    }));
  }

  async #storageItems(keys) {
    if (keys.length === 0) return new Map();
    const { status, body } = await this.#storage('PUT', '/read',
      Buffer.from(proto.ReadOperation.encode({ readKey: keys })));
    if (status !== 200) throw new Error(`storage items: ${status}`);
    return new Map(proto.StorageItems.decode(body).items.map(({ key, value }) =>
      [Buffer.from(key).toString('hex'), value]));
  }

  async setStorageState(state, previous) {
    const operation = state.createWriteOperation({ storageKey: this.storageKey, recordIkm: this.storageRecordIkm,
      previous });
    const { status } = await this.#storage('PUT', '', Buffer.from(proto.WriteOperation.encode(operation)));
    if (status !== 200) throw new Error(`setStorageState: ${status}`);
  }

  // Credentials of the zero-knowledge groups, issued by the service.

  /** Today's, which says who asks the storage service. */
  async authCredential() {
    const today = Math.floor(Date.now() / 1000 / day) * day;
    if (this.auth?.redemptionTime === today) return this.auth.credential;
    const { credentials } = await this.chat().request('GET',
      `/v1/certificate/auth/group?redemptionStartSeconds=${today}&redemptionEndSeconds=${today + day}`);
    const { credential, redemptionTime } = credentials.find((one) => one.redemptionTime === today);
    this.auth = { redemptionTime, credential: new zk.ClientZkAuthOperations(this.backend.zkParams)
      .receiveAuthCredentialWithPniAsServiceId(signal.Aci.parseFromServiceIdString(this.aci),
        signal.Pni.parseFromServiceIdString(this.pni), redemptionTime,
        new zk.AuthCredentialWithPniResponse(Buffer.from(credential, 'base64'))) };
    return this.auth.credential;
  }

  /** The one that goes with our profile key into groups. */
  async profileCredential() {
    if (this.profile) return this.profile;
    const aci = signal.Aci.parseFromServiceIdString(this.aci);
    const operations = new zk.ClientZkProfileOperations(this.backend.zkParams);
    const context = operations.createProfileKeyCredentialRequestContext(aci, this.profileKey);
    const request = Buffer.from(context.getRequest().serialize()).toString('hex');
    const version = this.profileKey.getProfileKeyVersion(aci).toString();
    const { credential } = await this.chat().request('GET',
      `/v1/profile/${this.aci}/${version}/${request}?credentialType=expiringProfileKey`);
    this.profile = operations.receiveExpiringProfileKeyCredential(context,
      new zk.ExpiringProfileKeyCredentialResponse(Buffer.from(credential, 'base64')));
    return this.profile;
  }
}
