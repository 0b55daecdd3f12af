// Starts one of Signal's mock servers for the tests of signalcore/service, and obeys commands: one JSON object a line on
// stdin, one answer a line on stdout, in order. The first line of stdout describes the service. It ends with stdin.
//
// Usage: node server.mjs 27|15

import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';

// Mock server 27 counts on this, which Node has since version 22.
Promise.withResolvers ??= function withResolvers() {
  const resolvers = {};
  resolvers.promise = new this((resolve, reject) => Object.assign(resolvers, { resolve, reject }));
  return resolvers;
};

// A download that the client gives up would otherwise end the mock server.
process.on('unhandledRejection', () => {});

const version = process.argv[2] ?? '27';
const require = createRequire(import.meta.url);
const { Server } = require(`mock-server-${version}`);
// The client's side of zkgroup, by the official library that this mock server uses.
const library = createRequire(require.resolve(`mock-server-${version}`));
const zkgroup = library('@signalapp/libsignal-client/zkgroup');
const { Aci, Pni } = library('@signalapp/libsignal-client');
const certificates = join(dirname(require.resolve(`mock-server-${version}`)), '..', 'certs');

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const base64 = (bytes) => (bytes == null ? undefined : Buffer.from(bytes).toString('base64'));

const cdn3Path = await mkdtemp(join(tmpdir(), 'signalbox-cdn3-'));
await mkdir(join(cdn3Path, 'attachments')); // which tus does not
const server = new Server({ cdn3Path, maxStorageReadKeys: 4 });

let code;
const provisioningCode = server.getProvisioningCode.bind(server);
server.getProvisioningCode = async (...args) => (code = await provisioningCode(...args));

await server.listen(0, '127.0.0.1');
const account = await server.createPrimaryDevice({ profileName: 'Service Tester' });
const contact = await server.createPrimaryDevice({ profileName: 'Contact' });

// What reaches a primary device is noted, not decrypted: the tests send bytes, not messages.
const received = [];
for (const primary of [account, contact]) {
  primary.handleEnvelope = async (source, kind, type, content) => {
    received.push({ to: primary.device.aci, from: source?.aci, type, content: base64(content) });
  };
}

let linked;
const device = (number) =>
  account.device.deviceId === number ? account.device : account.secondaryDevices.find((d) => d.deviceId === number);

const describe = (primary) => ({
  aci: primary.device.aci,
  pni: primary.device.pni,
  number: primary.device.number,
  registrationId: primary.device.registrationId,
  accessKey: base64(primary.device.accessKey),
});

const zk = JSON.parse(await readFile(join(certificates, 'zk-params.json'), 'utf8'));
const serverParams = new zkgroup.ServerPublicParams(Buffer.from(zk.publicParams, 'base64'));
let secretParams;
let profileContext;

const commands = {
  // A group's parameters, our presentation for it from an auth credential, and the members' of their profile keys.
  async newGroup({ credential, redemptionTime }) {
    secretParams = zkgroup.GroupSecretParams.generate();
    const operations = new zkgroup.ClientZkAuthOperations(serverParams);
    const received = operations.receiveAuthCredentialWithPniAsServiceId(
      Aci.parseFromServiceIdString(account.device.aci), Pni.parseFromServiceIdString(account.device.pni), redemptionTime,
      new zkgroup.AuthCredentialWithPniResponse(Buffer.from(credential, 'base64')),
    );
    const member = async (primary) => base64((await primary.getProfileKeyPresentation(secretParams)).serialize());
    return {
      publicParams: base64(secretParams.getPublicParams().serialize()),
      presentation: base64(operations.createAuthCredentialWithPniPresentation(secretParams, received).serialize()),
      members: [await member(account), await member(contact)],
    };
  },
  async profileRequest() {
    profileContext = new zkgroup.ClientZkProfileOperations(serverParams).createProfileKeyCredentialRequestContext(
      Aci.parseFromServiceIdString(contact.device.aci), contact.profileKey,
    );
    return { request: base64(profileContext.getRequest().serialize()) };
  },
  async profileReceive({ credential }) {
    const received = new zkgroup.ClientZkProfileOperations(serverParams).receiveExpiringProfileKeyCredential(
      profileContext, new zkgroup.ExpiringProfileKeyCredentialResponse(Buffer.from(credential, 'base64')),
    );
    return { expires: received.getExpirationTime().getTime() };
  },
  // The primary device scans the URI. The code is what a client would find in the provisioning message.
  async provision({ url }) {
    const { complete } = await server.waitForProvision();
    code = undefined;
    linked = complete({ provisionURL: url, primaryDevice: account });
    while (code === undefined) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    return { code };
  },
  async linked() {
    return { deviceId: (await linked).deviceId };
  },
  async deliver({ deviceId, content, count = 1 }) {
    for (let i = 0; i < count; i += 1) {
      void server.send(device(deviceId), Buffer.from(content, 'base64'));
    }
    return {};
  },
  async received() {
    return { messages: received.splice(0) };
  },
  async rateLimit() {
    server.rateLimit({ source: account.device.aci, target: contact.device.aci });
    return {};
  },
  async stopRateLimiting() {
    server.stopRateLimiting({ source: account.device.aci, target: contact.device.aci });
    return {};
  },
  async challenge({ status, data }) {
    server.respondToChallengesWith(status, data);
    return {};
  },
  async unregister() {
    server.unregister(contact);
    return {};
  },
  async register() {
    server.register(contact);
    return {};
  },
  async storeAttachment({ content }) {
    return { key: await server.storeAttachment(Buffer.from(content, 'base64')) };
  },
};

say({
  port: server.address().port,
  ca: await readFile(join(certificates, 'ca-cert.pem'), 'utf8'),
  trustRoot: JSON.parse(await readFile(join(certificates, 'trust-root.json'), 'utf8')).publicKey,
  zk,
  account: describe(account),
  contact: describe(contact),
});

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const { do: name, ...args } = JSON.parse(line);
    say(await commands[name](args));
  } catch (error) {
    say({ error: String(error?.stack ?? error) });
  }
}
await rm(cdn3Path, { recursive: true, force: true });
process.exit(0);
