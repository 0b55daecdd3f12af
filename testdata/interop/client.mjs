// A linked device played by the official library, from a process of its own: what the mock's ceiling is measured with,
// and what the harness is tested with before signalbox is there.
//
//   node client.mjs DEVICE-JSON drain COUNT        takes COUNT messages, each decrypted and acknowledged
//   node client.mjs DEVICE-JSON send COUNT ACI     sends COUNT texts, one after the other
//   node client.mjs DEVICE-JSON group COUNT JSON   sends COUNT texts to a group by sender key: one upload for each; what
//                                                  it needs to know of the group is what groupSending answers
//
// DEVICE-JSON is what the harness's registerDevice answers. Prints one JSON line per message drained
// {"body":…,"at":…} (CLOCK_MONOTONIC, ns), and at the end {"done":…}.
import './harness/node20.mjs';
import fs from 'node:fs';
import * as signal from '@signalapp/libsignal-client';
import { Chat } from './harness/chat.mjs';
import { decodeContent, encodeContent, Envelope, EnvelopeType } from './harness/content.mjs';
import { Device } from './harness/device.mjs';

const settings = JSON.parse(process.argv[2]);
const [mode, countText, target] = process.argv.slice(3);
const count = Number(countText);
const line = { overHTTP2: settings.version !== 15, port: settings.port, login: settings.login,
  password: settings.password, ca: fs.readFileSync(settings.ca) };
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** The half of device.mjs's backend that asks the service, as a client has to. */
class RemoteBackend {
  trustRoot = signal.PublicKey.deserialize(Buffer.from(settings.trustRoot, 'base64'));

  constructor(chat) {
    this.chat = chat;
  }

  async senderCertificate() {
    const { certificate } = await this.chat.request('GET', '/v1/certificate/delivery?includeE164=true');
    return signal.SenderCertificate.deserialize(Buffer.from(certificate, 'base64'));
  }

  registrationId(device, kind) {
    return settings.registrationIds[kind];
  }

  async setKeys(device, kind, keys) {
    const text = (key) => ({ keyId: key.keyId, publicKey: Buffer.from(key.publicKey).toString('base64'),
      ...(key.signature ? { signature: Buffer.from(key.signature).toString('base64') } : {}) });
    const many = async (make) => Promise.all(Array.from({ length: 20 }, async () => text(await make())));
    await this.chat.request('PUT', `/v2/keys?identity=${kind.toLowerCase()}`, {
      identityKey: Buffer.from(keys.identityKey).toString('base64'),
      signedPreKey: text(keys.signedPreKey), pqLastResortPreKey: text(keys.lastResortKey),
      preKeys: await many(keys.nextPreKey), pqPreKeys: await many(keys.nextKyberPreKey),
    });
  }

  async takeBundle(device, kind) {
    const bytes = (key) => key && { keyId: key.keyId, publicKey: Buffer.from(key.publicKey, 'base64'),
      signature: key.signature && Buffer.from(key.signature, 'base64') };
    const { identityKey, devices: [one] } =
      await this.chat.request('GET', `/v2/keys/${device.getServiceIdByKind(kind)}/${device.deviceId}`);
    device.registrationId = one.registrationId;
    return { registrationId: one.registrationId, identityKey: Buffer.from(identityKey, 'base64'),
      preKey: bytes(one.preKey), signedPreKey: bytes(one.signedPreKey), kyberPreKey: bytes(one.pqPreKey) };
  }
}

function account() {
  const pair = (kind) => {
    const privateKey = signal.PrivateKey.deserialize(Buffer.from(settings.identities[kind], 'base64'));
    return new signal.IdentityKeyPair(privateKey.getPublicKey(), privateKey);
  };
  return { keyPairs: { ACI: pair('ACI'), PNI: pair('PNI') } };
}

async function drain(chat, device) {
  let started;
  let taken = 0;
  await new Promise((resolve, reject) => chat.listen(async (request, acknowledge) => {
    if (!request.path.endsWith('/message')) return acknowledge();
    started ??= { cpu: process.cpuUsage(), at: performance.now() };
    try {
      const envelope = Envelope.decode(request.body);
      const message = await device.decrypt({ kind: 'ACI', content: envelope.content,
        type: envelope.type === EnvelopeType.UNIDENTIFIED_SENDER ? 'SealedSender' : 'PreKey' });
      const { dataMessage } = decodeContent(message.content);
      acknowledge();
      say({ body: dataMessage?.body, at: Number(process.hrtime.bigint()) });
      if (++taken >= count) resolve();
    } catch (error) {
      reject(error);
    }
    return undefined;
  }));
  const seconds = (performance.now() - started.at) / 1000;
  const { user, system } = process.cpuUsage(started.cpu);
  say({ done: { count, seconds, perSecond: count / seconds, cpuMillisEach: (user + system) / 1000 / count } });
}

async function send(chat, device) {
  const to = { deviceId: 1, getServiceIdByKind: () => target };
  const once = async (i) => {
    const timestamp = Date.now() + i;
    const content = encodeContent({ dataMessage: { timestamp, body: `ceiling ${i}` } });
    const { type, content: ciphertext } = await device.encrypt(to, content, { sealed: false });
    await chat.request('PUT', `/v1/messages/${target}`, { timestamp, online: false, urgent: true, destination: target,
      messages: [{ type, destinationDeviceId: 1, destinationRegistrationId: to.registrationId,
        content: ciphertext.toString('base64') }] });
  };
  await measured(once);
}

/** Does it once to warm up, then `count` times, and says what that took. */
async function measured(once) {
  await once(0);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const each = [];
  for (let i = 1; i <= count; i++) {
    const at = performance.now();
    await once(i);
    each.push(performance.now() - at);
  }
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  each.sort((a, b) => a - b);
  say({ done: { count, seconds, perSecond: count / seconds, p50Millis: each[count >> 1],
    cpuMillisEach: (user + system) / 1000 / count } });
}

/** As a member of a group: the key told to each device, then one encryption and one upload for each text. */
async function sendInGroup(chat, device) {
  const { groupId, context, token, members } = JSON.parse(target);
  const anonymous = await Chat.connect({ ...line, login: undefined });
  const targets = members.flatMap(({ aci, devices }) => devices.map((deviceId) =>
    ({ aci, deviceId, getServiceIdByKind: () => aci })));
  const distribution = encodeContent({ senderKeyDistributionMessage:
    (await device.senderKeyDistribution(groupId)).toString('base64') });
  for (const one of members) {
    const its = targets.filter(({ aci }) => aci === one.aci);
    const timestamp = Date.now();
    const messages = [];
    for (const to of its) {
      const { type, content } = await device.encrypt(to, distribution, { sealed: false });
      messages.push({ type, destinationDeviceId: to.deviceId, destinationRegistrationId: to.registrationId,
        content: content.toString('base64') });
    }
    await chat.request('PUT', `/v1/messages/${one.aci}`, { timestamp, online: false, urgent: true,
      destination: one.aci, messages });
  }
  await measured(async (i) => {
    const timestamp = Date.now() + i;
    const payload = await device.encryptUpload(targets, encodeContent({ dataMessage: { timestamp,
      body: `ceiling ${i}`, groupV2: context } }), { groupId });
    await anonymous.request('PUT', `/v1/messages/multi_recipient?ts=${timestamp}&online=false&urgent=true&story=false`,
      payload, ['content-type:application/vnd.signal-messenger.mrm', `group-send-token:${token}`]);
  });
}

const chat = await Chat.connect(line);
const mock = { aci: settings.aci, pni: settings.pni, deviceId: settings.deviceId,
  getServiceIdByKind: (kind) => (kind === 'ACI' ? settings.aci : settings.pni) };
const device = new Device({ account: account(), mock, backend: new RemoteBackend(chat) });
await device.reset();
say({ ready: true });
await { send, drain, group: sendInGroup }[mode](chat, device);
chat.close();
process.exit(0);
