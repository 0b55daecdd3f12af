// The interop harness: Signal's mock server with contacts that the official library plays, driven by JSON lines.
//
//   node harness.mjs 27|15 [OPTIONS-JSON]
//
// stdin: {"id":1,"command":"createAccount","args":{…}}; stdout: {"id":1,"result":…} or {"id":1,"error":"…"}, and
// events {"event":"received",…} as they happen; everything else goes to stderr. Ends when stdin does.
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { Account } from './harness/account.mjs';
import { commands } from './harness/commands.mjs';
import { MemberGroup, PlainGroups } from './harness/groupclient.mjs';
import { createServer } from './harness/mock.mjs';

console.log = console.error;
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

class Harness {
  accounts = new Map();
  groups = new Map(); // by id in base64; those of signalbox come with the first message that names them
  lastTimestamp = 0;

  static async start(version, options) {
    const harness = new Harness();
    harness.folder = await fs.mkdtemp(path.join(os.tmpdir(), 'signalbox-interop-'));
    harness.cdn3Path = path.join(harness.folder, 'cdn3');
    await fs.mkdir(path.join(harness.cdn3Path, 'attachments'), { recursive: true });
    harness.options = { window: 256, serverGuids: 'binary', timeout: 600_000, awaitRecipient: false, ...options,
      cdn3Path: harness.cdn3Path, onEvent: say };
    harness.backend = createServer(version, harness.options);
    harness.backend.accounts = new Map(); // by ACI
    harness.backend.onMasterKey = (masterKey) => harness.learnGroup(masterKey);
    harness.server = harness.backend.server;
    harness.groupSource = options.plainGroups
      ? new PlainGroups(harness.backend) : harness.server.groupService;
    await harness.server.listen(options.port ?? 0, '127.0.0.1');
    return harness;
  }

  async createAccount(name, profileName) {
    if (this.accounts.has(name)) throw new Error(`there is an account ${name} already`);
    const account = await Account.create({ name, profileName, backend: this.backend, cdn3Path: this.cdn3Path, emit: say });
    this.accounts.set(name, account);
    this.backend.accounts.set(account.aci, account);
    return account;
  }

  account(name) {
    const account = this.accounts.get(name);
    if (!account) throw new Error(`no account ${name}`);
    return account;
  }

  /** The time in milliseconds, each one given only once: a message's name. */
  timestamp() {
    this.lastTimestamp = Math.max(this.lastTimestamp + 1, Date.now());
    return this.lastTimestamp;
  }

  group(id) {
    const group = this.groups.get(id);
    if (!group) throw new Error(`no group ${id}`);
    return group;
  }

  learnGroup(masterKey) {
    const group = new MemberGroup(this.groupSource, masterKey);
    if (!this.groups.has(group.id)) this.groups.set(group.id, group);
    return this.groups.get(group.id);
  }

  /** With options.plainGroups, by the mock's own primary device. */
  async createGroup(creator, wishes) {
    if (this.options.plainGroups) {
      const { secretParams } = await creator.primary.createGroup({ title: wishes.title,
        members: [creator, ...wishes.members].map(({ primary }) => primary) });
      return this.learnGroup(secretParams.getMasterKey().serialize());
    }
    const group = MemberGroup.create(this.groupSource, creator, wishes);
    this.groups.set(group.id, group);
    return group;
  }

  /** The group records of the account's storage service, as its phone reads them. */
  async storageGroups({ primary }) {
    const records = (await primary.getStorageState())?.getAllGroupRecords() ?? [];
    return records.map(({ record: { groupV2 } }) => ({ id: this.learnGroup(groupV2.masterKey).id,
      whitelisted: Boolean(groupV2.whitelisted), blocked: Boolean(groupV2.blocked),
      archived: Boolean(groupV2.archived), markedUnread: Boolean(groupV2.markedUnread),
      mutedUntil: Number(groupV2.mutedUntilTimestamp ?? 0) }));
  }

  async setStorageGroup({ primary }, { masterKey }, fields = {}) {
    const previous = await primary.getStorageState();
    const state = previous ?? this.backend.mock.StorageState.getEmpty();
    const known = state.getGroup({ masterKey }) !== undefined;
    await primary.setStorageState(known ? state.updateGroup({ masterKey }, fields)
      : state.addGroup({ masterKey }, { whitelisted: true, ...fields }), previous);
  }

  /** A device that is not played here: signalbox. */
  realDevice(name, id) {
    const device = this.account(name).mockDevices()
      .find((one) => !this.server.players.has(one) && (id === undefined || one.deviceId === id));
    if (!device) throw new Error(`${name} has linked no device${id === undefined ? '' : ` ${id}`}`);
    return device;
  }

  /** The contact's profile key has changed, and nobody was told: whoever knows the old access key gets a 401. */
  newAccessKey(account) {
    for (const device of account.mockDevices()) device.accessKey = crypto.randomBytes(16);
  }

  async link(account, uri) {
    const provision = await this.server.waitForProvision();
    const device = await provision.complete({ provisionURL: uri, primaryDevice: account.primary });
    return { account: account.name, device: device.deviceId };
  }

  /** Registers a linked device for client.mjs to play, from another process; answers what that needs. */
  async registerDevice(account) {
    const device = await this.backend.registerDevice(account.primary);
    const [login] = this.backend.shape.logins(device);
    const secret = (kind) => Buffer.from(account.keyPairs[kind].privateKey.serialize()).toString('base64');
    const { version, certs, trustRoots } = this.backend;
    return { version, port: this.server.port, certs, trustRoot: trustRoots[0],
      login, password: this.server.devicesByAuth.get(login).password, aci: device.aci, pni: device.pni,
      deviceId: device.deviceId, registrationIds: { ACI: this.backend.registrationId(device, 'ACI'),
        PNI: this.backend.registrationId(device, 'PNI') }, identities: { ACI: secret('ACI'), PNI: secret('PNI') } };
  }

  /** Writes the phone's storage service: its account record and its contacts with their profile keys. */
  async setContacts(account, contacts, { legacy = false, extra = {} } = {}) {
    const { primary } = account;
    account.contacts = contacts;
    if (legacy) primary.storageRecordIkm = undefined;
    const previous = await primary.getStorageState();
    let state = previous ?? this.backend.mock.StorageState.getEmpty();
    state = state.updateAccount({ profileKey: account.profileKey, givenName: primary.profileName, readReceipts: true });
    for (const contact of contacts) {
      if (state.getContact(contact.primary)) continue;
      state = state.addContact(contact.primary, { whitelisted: true, profileKey: contact.profileKey,
        givenName: contact.primary.profileName, pniBinary: contact.primary.device.pniRawUuid,
        identityKey: contact.keyPairs.ACI.publicKey.serialize(), ...extra });
    }
    await primary.setStorageState(state, previous);
  }

  queueState(device) {
    const queue = this.server.queueOf(device);
    return { depth: queue.depth, inFlight: queue.inFlight, acknowledged: queue.acknowledged,
      rejected: queue.rejected, connected: queue.socket !== undefined,
      drainMillis: (queue.lastAcknowledgedAt ?? 0) - (queue.startedAt ?? 0) };
  }

  async environment() {
    const { backend: { certs, zkParams, trustRoots, version }, server: { port } } = this;
    const base = `https://127.0.0.1:${port}`;
    const environment = {
      chatUrl: base,
      storageUrl: `${base}/storageService`,
      cdnUrls: { 0: base, 2: base, 3: `${base}/cdn3` },
      cdsiUrl: base,
      cdsiMrenclave: '00'.repeat(32),
      caCertificates: [await fs.readFile(path.join(certs, 'ca-cert.pem'), 'utf8')],
      sealedSenderTrustRoots: trustRoots,
      zkServerPublicParams: zkParams.publicParams,
      zkGenericServerPublicParams: zkParams.genericPublicParams,
      zkBackupServerPublicParams: zkParams.backupPublicParams,
    };
    const file = path.join(this.folder, 'environment.json');
    await fs.writeFile(file, JSON.stringify(environment, null, 2));
    return { version, file, port, cdn3Path: this.cdn3Path };
  }
}

async function serve(harness, { id, command, args = {} }) {
  try {
    const run = commands[command];
    if (!run) throw new Error(`no command ${command}`);
    say({ id, result: (await run(harness, args)) ?? null });
  } catch (error) {
    say({ id, error: String(error.stack ?? error) });
  }
}

process.on('unhandledRejection', (error) => console.error('harness: unhandled', error));
const harness = await Harness.start(Number(process.argv[2] ?? 27), JSON.parse(process.argv[3] ?? '{}'));
say({ event: 'ready', ...(await harness.environment()) });
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => void serve(harness, JSON.parse(line)));
lines.on('close', async () => {
  await fs.rm(harness.folder, { recursive: true, force: true });
  process.exit(0);
});
