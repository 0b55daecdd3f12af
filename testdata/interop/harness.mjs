// The interop harness: contacts that the official library plays, on Signal's mock server or on the sandbox, driven by JSON
// lines.
//
//   node harness.mjs
//
// One process has many of them, since to start one takes longer than most tests do: every line has "harness":N beside the
// rest. {"harness":N,"start":["27",{…}]} begins one of a mock server, which the event "ready" answers, or of the sandbox:
// that runs already, and the options are where (sandbox.mjs). {"harness":N,"stop":true} ends it, which
// {"harness":N,"event":"stopped"} answers.
//
// stdin: {"id":1,"command":"createAccount","args":{…}}; stdout: {"id":1,"result":…} or {"id":1,"error":"…"}, and
// events {"event":"received",…} as they happen; everything else goes to stderr. Ends when stdin does.
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { commands } from './harness/commands.mjs';
import { MemberGroup } from './harness/groupclient.mjs';
import { createServer } from './harness/mock.mjs';
import { SandboxBackend } from './harness/sandbox.mjs';

console.log = console.error;
const print = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

class Harness {
  accounts = new Map();
  lines = []; // connections of the official library's own (netcommands.mjs)
  groups = new Map(); // by id in base64; those of signalbox come with the first message that names them
  lastTimestamp = 0;

  static async start(version, options, say) {
    const harness = new Harness();
    harness.say = say;
    harness.folder = await fs.mkdtemp(path.join(os.tmpdir(), 'signalbox-interop-'));
    harness.cdn3Path = path.join(harness.folder, 'cdn3');
    await fs.mkdir(path.join(harness.cdn3Path, 'attachments'), { recursive: true });
    harness.options = { folder: harness.folder, window: 256, serverGuids: 'binary', timeout: 600_000, awaitRecipient: false, ...options,
      cdn3Path: harness.cdn3Path, onEvent: say };
    harness.backend = version === 'sandbox' ? new SandboxBackend(harness.options)
      : createServer(Number(version), harness.options);
    harness.backend.onMasterKey = (masterKey) => harness.learnGroup(masterKey);
    harness.server = harness.backend.server; // the mock's own, where it is one
    harness.place = { version, cdn3Path: harness.cdn3Path, ...(await harness.backend.start()) };
    return harness;
  }

  async createAccount(name, profileName) {
    if (this.accounts.has(name)) throw new Error(`there is an account ${name} already`);
    this.accounts.set(name, undefined); // it is on its way
    const account = await this.backend.createAccount({ name, profileName, emit: this.say });
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
    const group = new MemberGroup(this.backend.groups, masterKey);
    return this.#know(group);
  }

  #know(group) {
    if (!this.groups.has(group.id)) {
      this.groups.set(group.id, group);
      this.backend.groups.byId?.set(group.id, group);
    }
    return this.groups.get(group.id);
  }

  /** With options.plainGroups, by the mock's own primary device. */
  async createGroup(creator, wishes) {
    if (this.options.plainGroups) {
      const { secretParams } = await creator.primary.createGroup({ title: wishes.title,
        members: [creator, ...wishes.members].map(({ primary }) => primary) });
      return this.learnGroup(secretParams.getMasterKey().serialize());
    }
    return this.#know(await MemberGroup.create(this.backend.groups, creator, wishes));
  }

  /** The group records of the account's storage service, as its phone reads them. */
  async storageGroups({ primary }) {
    const records = (await primary.getStorageState())?.getAllGroupRecords() ?? [];
    return records.map(({ record: { groupV2 } }) => ({ id: this.learnGroup(groupV2.masterKey).id,
      whitelisted: Boolean(groupV2.whitelisted), blocked: Boolean(groupV2.blocked),
      archived: Boolean(groupV2.archived), markedUnread: Boolean(groupV2.markedUnread),
      mutedUntil: Number(groupV2.mutedUntilTimestamp ?? 0) }));
  }

  setStorageGroup(account, { masterKey }, fields = {}) {
    return this.#writeStorage(account, (state) => (state.getGroup({ masterKey }) === undefined
      ? state.addGroup({ masterKey }, { whitelisted: true, ...fields }) : state.updateGroup({ masterKey }, fields)));
  }

  /** Has the phone change its storage service, again where another device was faster. */
  async #writeStorage({ primary }, change) {
    for (let tries = 1; ; tries++) {
      const previous = await primary.getStorageState();
      try {
        await primary.setStorageState(change(previous ?? this.backend.StorageState.getEmpty()), previous);
        return;
      } catch (error) {
        if (tries === 10) throw error;
      }
    }
  }

  /** A device that is not played here: signalbox. */
  realDevice(name, id) {
    const device = this.backend.realDevice(this.account(name), id);
    if (!device) throw new Error(`${name} has linked no device${id === undefined ? '' : ` ${id}`}`);
    return device;
  }

  async link(account, uri) {
    return { account: account.name, device: await this.backend.link(account, uri) };
  }

  /** Registers a linked device for client.mjs to play, from another process; answers what that needs. */
  async registerDevice(account) {
    const { device, login, password } = await this.backend.registerDevice(account);
    const secret = (kind) => Buffer.from(account.keyPairs[kind].privateKey.serialize()).toString('base64');
    return { ...this.backend.client, trustRoot: this.backend.trustRoots[0], login, password, aci: device.aci,
      pni: device.pni, deviceId: device.deviceId, registrationIds: device.registrationIds,
      identities: { ACI: secret('ACI'), PNI: secret('PNI') } };
  }

  /** Writes the phone's storage service: its account record and its contacts with their profile keys. */
  async setContacts(account, contacts, { legacy = false, extra = {} } = {}) {
    const { primary } = account;
    account.contacts = contacts;
    if (legacy) primary.storageRecordIkm = undefined;
    await this.#writeStorage(account, (before) => {
      let state = before.updateAccount({ profileKey: account.profileKey, givenName: primary.profileName,
        readReceipts: true });
      for (const contact of contacts) {
        if (state.getContact(contact.primary)) continue;
        state = state.addContact(contact.primary, { whitelisted: true, profileKey: contact.profileKey,
          givenName: contact.primary.profileName, pniBinary: contact.primary.device.pniRawUuid,
          identityKey: contact.keyPairs.ACI.publicKey.serialize(), ...extra });
      }
      return state;
    });
  }

  queueState(device) {
    const queue = this.server.queueOf(device);
    return { depth: queue.depth, inFlight: queue.inFlight, acknowledged: queue.acknowledged,
      rejected: queue.rejected, connected: queue.socket !== undefined,
      drainMillis: (queue.lastAcknowledgedAt ?? 0) - (queue.startedAt ?? 0) };
  }
}

async function serve(harness, { id, command, args = {} }) {
  try {
    const run = commands[command];
    if (!run) throw new Error(`no command ${command}`);
    harness.say({ id, result: (await run(harness, args)) ?? null });
  } catch (error) {
    harness.say({ id, error: String(error.stack ?? error) });
  }
}

const remove = ({ folder }) => fs.rm(folder, { recursive: true, force: true });

/** The harnesses of this process. */
class Host {
  harnesses = new Map();

  async hear({ harness: name, start, stop, ...line }) {
    const harness = this.harnesses.get(name);
    if (harness && !stop) return serve(harness, line);
    try {
      if (start) return await this.#start(name, ...start);
      if (harness) await this.#stop(name, harness);
    } catch (error) {
      console.error('harness:', error);
    }
    return print({ harness: name, event: 'stopped' });
  }

  async #start(name, version, options) {
    const say = (line) => print({ harness: name, ...line });
    const harness = await Harness.start(version, options, say);
    this.harnesses.set(name, harness);
    say({ event: 'ready', ...harness.place });
  }

  async #stop(name, harness) {
    this.harnesses.delete(name);
    await harness.backend.stop();
    await remove(harness);
  }
}

process.on('unhandledRejection', (error) => console.error('harness: unhandled', error));
const host = new Host();
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => void host.hear(JSON.parse(line)));
lines.on('close', async () => {
  await Promise.all([...host.harnesses.values()].map(remove));
  process.exit(0);
});
