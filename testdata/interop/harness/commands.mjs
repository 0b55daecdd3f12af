// The control line's commands: a table of functions of (harness, arguments) that answer a JSON value.
import { encryptAttachment, pseudoRandom, sha256 } from './attachments.mjs';
import { encodeContent, encodeEnvelope } from './content.mjs';
import { groupCommands } from './groupcommands.mjs';
import { netCommands } from './netcommands.mjs';
import { describeError } from './officialnet.mjs';

const sendOptions = ({ kind, sealed, device, timestamp, devices, hint, guid, multi, untold, garbled, once }) =>
  ({ kind, sealed, device, timestamp, devices, hint, guid, multi, untold, garbled, once });

/** Sends content to one account: by itself, or, with `group`, as a member of it does (`pairwise`: without sender key). */
async function send(h, { from, to, group: id, revision, context, pairwise, ...options }, content) {
  const [sender, receiver] = [h.account(from), h.account(to)];
  if (!id) return sender.send(receiver, content, sendOptions(options));
  const group = h.group(id);
  for (const data of [content.dataMessage, content.editMessage?.dataMessage]) {
    if (data) data.groupV2 = context ?? await group.context(revision);
  }
  if (content.typingMessage) content.typingMessage.groupId = id;
  return pairwise
    ? sender.send(receiver, content, { ...sendOptions(options), groupId: id })
    : sender.sendInGroup(receiver, id, content, sendOptions(options));
}

/** A data message as an app writes it: its own timestamp inside, the profile key unless told otherwise. */
function dataMessage(from, { timestamp, body, withProfileKey = true, ...fields }) {
  return { timestamp, ...(body === undefined ? {} : { body }),
    ...(withProfileKey ? { profileKey: from.profileKey.toString('base64') } : {}), ...fields };
}

export const commands = {
  /** A sticker pack on the CDN: encrypted pictures, and no manifest. */
  storeStickerPack: (h, { id, stickers }) => h.server.storeStickerPack({
    id: Buffer.from(id, 'hex'), stickers: stickers.map((one) => Buffer.from(one, 'base64')) }),

  // Accounts and their devices.
  createAccount: async (h, { name, profileName }) => (await h.createAccount(name, profileName)).describe(),
  createAccounts: async (h, { names }) => {
    await Promise.all(names.map((name) => h.createAccount(name)));
    return names.map((name) => h.account(name).describe());
  },
  describe: (h, { account }) => h.account(account).describe(),
  habits: (h, { account, ...habits }) => Object.assign(h.account(account).habits, habits),
  addDevice: async (h, { account }) => ({ device: await h.account(account).addDevice() }),
  removeDevice: (h, { account, device }) => h.account(account).removeDevice(device),
  reinstall: (h, { account, device, newIdentity }) => h.account(account).reinstall({ device, newIdentity }),
  forgetSessions: (h, { account, with: other, device }) =>
    h.account(account).device(device).forgetSessions(h.account(other).aci),
  unregister: (h, { account, kind }) => h.backend.unregister(h.account(account), kind),
  register: (h, { account, kind }) => h.backend.register(h.account(account), kind),

  newAccessKey: (h, { account }) => h.backend.newAccessKey(h.account(account)),

  // The phone's side: linking, storage, sync.
  setContacts: (h, { account, contacts, legacy, extra }) =>
    h.setContacts(h.account(account), contacts.map((name) => h.account(name)), { legacy, extra }),
  link: (h, { account, uri }) => h.link(h.account(account), uri),
  unlink: (h, { account, device }) => h.backend.unlink(h.account(account), h.realDevice(account, device)),
  realDevice: (h, { account, device }) => {
    const { aci, deviceId } = h.realDevice(account, device);
    return { aci, device: deviceId };
  },
  registerDevice: async (h, { account }) => h.registerDevice(h.account(account)),
  blocked: (h, { account, blocked }) => { h.account(account).blocked = blocked; },

  // Sending to signalbox.
  sendText: (h, { body, ...options }) => {
    const timestamp = options.timestamp ?? h.timestamp();
    const message = dataMessage(h.account(options.from), { timestamp, body, withProfileKey: options.withProfileKey });
    return send(h, { ...options, timestamp }, { dataMessage: message });
  },
  sendData: (h, { data, ...options }) => {
    const timestamp = options.timestamp ?? h.timestamp();
    const message = dataMessage(h.account(options.from), { timestamp, ...data });
    return send(h, { ...options, timestamp }, { dataMessage: message });
  },
  /** One try to send a text: answers how it was refused, or nothing. */
  attempt: async (h, options) => {
    try {
      await commands.sendText(h, { ...options, once: true });
      return {};
    } catch (error) {
      return { refused: describeError(error) };
    }
  },
  sendContent: (h, { content, ...options }) => send(h, options, content),
  sendBytes: (h, { from, to, base64, ...options }) =>
    h.account(from).send(h.account(to), Buffer.from(base64, 'base64'), sendOptions(options)),
  sendGarbled: sendGarbled,
  sendAttachments: sendAttachments,
  queueMany: queueMany,

  // Envelopes by hand.
  pushEnvelope: (h, { account, device, base64, fields }) => {
    const bytes = base64 ? Buffer.from(base64, 'base64') : encodeEnvelope(fields);
    h.server.queueOf(h.realDevice(account, device)).push(bytes);
  },
  deliver: (h, { account, device, fields }) => ({ guid: h.backend.deliver(h.realDevice(account, device), fields) }),
  redeliver: (h, { account, device, count }) =>
    ({ count: h.server.queueOf(h.realDevice(account, device)).redeliver(count) }),
  hold: (h, { account, device, held }) => h.server.queueOf(h.realDevice(account, device)).hold(held),
  queueState: (h, { account, device }) => h.queueState(h.realDevice(account, device)),

  // Faults and the network.
  fault: (h, rule) => ({ fault: h.server.faults.add(rule) }),
  endFault: (h, { fault }) => ({ hits: h.server.faults.remove(fault) }),
  rateLimit: (h, { source, target }) =>
    h.server.rateLimit({ source: h.account(source).aci, target: h.account(target).aci }),
  stopRateLimiting: (h, { source, target }) => ({ count: h.server.stopRateLimiting({
    source: h.account(source).aci, target: h.account(target).aci }) ?? 0 }),
  respondToChallenges: (h, { status, body }) => h.server.respondToChallengesWith(status, body),
  dropConnections: (h) => ({ count: h.server.dropConnections() }),
  goAway: (h) => h.server.goAway(),
  comeBack: (h) => h.server.comeBack(),
  requests: (h) => Object.fromEntries(h.server.requests),

  // Groups: groupcommands.mjs; the official library's connections: netcommands.mjs.
  ...groupCommands,
  ...netCommands,

  // For measurements.
  options: (h, options) => Object.assign(h.options, options),
  cpu: () => ({ ...process.cpuUsage(), now: performance.now() }),
};

/** Sends a text that cannot be decrypted: the real one is kept, to be sent again when asked for. */
async function sendGarbled(h, { from, to, body, ...options }) {
  const timestamp = options.timestamp ?? Date.now();
  const content = encodeContent({ dataMessage: dataMessage(h.account(from), { timestamp, body }) });
  return h.account(from).send(h.account(to), content, { ...sendOptions(options), timestamp, garbled: true });
}

async function sendAttachments(h, { attachments, body, ...options }) {
  const timestamp = options.timestamp ?? h.timestamp();
  const made = [];
  for (const { size, seed, incremental, base64, ...fields } of attachments) {
    const plaintext = base64 === undefined ? pseudoRandom(size, seed ?? size) : Buffer.from(base64, 'base64');
    const { blob, pointer } = await encryptAttachment(plaintext, { incremental });
    const stored = await h.backend.storeAttachment(blob, h.account(options.from));
    const full = { contentType: 'application/octet-stream', ...pointer, ...fields, ...stored };
    made.push({ pointer: full, sha256: sha256(plaintext), size: plaintext.length });
  }
  const message = dataMessage(h.account(options.from), { timestamp, body,
    attachments: made.map(({ pointer }) => pointer) });
  const sent = await send(h, { ...options, timestamp }, { dataMessage: message });
  return { ...sent, attachments: made };
}

/** Queues `count` messages with bodies prefix0, prefix1, …: encrypted first, then pushed all at once. */
async function queueMany(h, { count, prefix, ...options }) {
  const first = options.timestamp ?? Date.now() - count;
  const started = performance.now();
  const context = options.group && await h.group(options.group).context(options.revision);
  for (let i = 0; i < count; i++) {
    const timestamp = first + i;
    const message = dataMessage(h.account(options.from), { timestamp, body: `${prefix}${i}` });
    await send(h, { ...options, context, timestamp }, { dataMessage: message });
  }
  return { first, count, millis: performance.now() - started };
}
