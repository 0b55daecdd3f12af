// The control line's commands for connections of the official library's network client as such: opened, asked, and told
// of as it sees them. Only where the service is spoken to over the wire (sandbox.mjs).
import { describeError } from './officialnet.mjs';

/** What a call comes to: its result, or how the library says that it was refused. */
async function outcome(call) {
  try {
    return (await call()) ?? {};
  } catch (error) {
    return { refused: describeError(error) };
  }
}

function tell(h, line, chat) {
  chat.onEmpty = () => h.say({ event: 'lineEmpty', line });
  chat.onClose = (cause) => h.say({ event: 'lineEnded', line, refused: cause ? describeError(cause) : undefined });
  if (chat.closed) chat.onClose(chat.cause);
  if (chat.empty) chat.onEmpty();
}

export const netCommands = {
  /** Links a device that nobody plays; answers what opens its connection. */
  netDevice: async (h, { account }) => {
    const { device, login, password } = await h.backend.registerDevice(h.account(account));
    return { device: device.deviceId, login, password };
  },

  /** Opens a connection over that version of HTTP; without a login, one that says not whose it is. */
  netOpen: (h, { http, login, password, early = false }) => outcome(async () => {
    const net = h.backend.netOf({ http });
    if (early) await net.net.preconnectChat();
    const chat = await net.connect({ login, password });
    const line = h.lines.push(chat);
    tell(h, line, chat);
    return { line };
  }),

  netFetch: (h, { line, verb, path, body, headers = [] }) => outcome(async () => {
    const answer = await h.lines[line - 1].fetch(verb, path, body, headers);
    const names = Object.fromEntries(answer.headers);
    return { status: answer.status, headers: names, body: Buffer.from(answer.body ?? []).toString() };
  }),

  netClose: (h, { line }) => h.lines[line - 1].connection.disconnect(),

  /** Waits for a phone as a new device does; answers what came: the address, and the envelope that a phone sent. */
  netProvision: async (h, { http, account }) => {
    const net = h.backend.netOf({ http });
    const came = {};
    const address = new Promise((resolve) => { came.address = resolve; });
    const envelope = new Promise((resolve) => { came.envelope = resolve; });
    const connection = await net.net.connectProvisioning({
      onReceivedAddress: (text, ack) => { ack.send(200); came.address(text); },
      onReceivedEnvelope: (bytes, ack) => { ack.send(200); came.envelope(bytes); },
      onConnectionInterrupted: () => undefined });
    const path = `/v1/provisioning/${encodeURIComponent(await address)}`;
    await h.account(account).primary.device.chat.request('PUT', path,
      { body: Buffer.from('from a phone').toString('base64') });
    const taken = Buffer.from(await envelope).toString();
    await connection.disconnect();
    return { address: await address, envelope: taken };
  },

  /** Has an account's device connect anew. */
  reconnect: (h, { account, device }) => h.account(account).reconnect(device),
};
