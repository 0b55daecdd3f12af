// The mock server, taught to behave like Signal-Server where it does not: queues that outlive a connection, server
// GUIDs, refused log-ins, unlinking, the device list; and made to fail where a test wants it. One class for both
// versions: what differs between them stands in `shapes`.
import './node20.mjs';
import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as signal from '@signalapp/libsignal-client';
import { encodeEnvelope, EnvelopeType } from './content.mjs';
import { DeliveryQueue } from './delivery.mjs';
import { Faults, faultyHTTP, faultyRequest } from './faults.mjs';
import { PlainGroups } from './groupclient.mjs';
import { flip, GroupService } from './groupservice.mjs';
import { headerOf } from './headers.mjs';
import { MockAccount } from './mockaccount.mjs';
import { grpcPath, MultiRecipient } from './multirecipient.mjs';

const require = createRequire(import.meta.url);

const envelopeTypes = {
  CipherText: EnvelopeType.DOUBLE_RATCHET,
  PreKey: EnvelopeType.PREKEY_MESSAGE,
  SealedSender: EnvelopeType.UNIDENTIFIED_SENDER,
  Plaintext: EnvelopeType.PLAINTEXT_CONTENT,
};

// What the two versions call things.
const shapes = {
  27: {
    listKey: (device) => device.aci,
    logins: (device) => [`${device.aci}.${device.deviceId}`],
    registrationId: (device, kind) => device.getCheckedRegistrationId(kind),
    credentials: (req) => basic(req.headers.authorization),
    extra: () => ({ authCredentialSalt: crypto.randomBytes(16) }),
  },
  15: {
    listKey: (device) => device.number,
    logins: (device) => [`${device.aci}.${device.deviceId}`, `${device.number}.${device.deviceId}`],
    registrationId: (device, kind) => device.getRegistrationId(kind),
    credentials: (req) => basic(req.headers.authorization) ?? query(req.url),
    extra: () => ({}),
  },
};

function basic(header) {
  if (!header) return undefined;
  const [login, ...password] = Buffer.from(header.replace(/^basic\s+/i, ''), 'base64').toString().split(':');
  return { login, password: password.join(':') };
}

function query(url) {
  const { searchParams } = new URL(url, 'http://localhost');
  const login = searchParams.get('login');
  return login === null ? undefined : { login, password: searchParams.get('password') };
}

const taught = new WeakSet();

/** Has a version's connections ask their server first. */
function teach(Connection) {
  if (taught.has(Connection)) return;
  taught.add(Connection);
  const original = Connection.prototype.handleRequest;
  Connection.prototype.handleRequest = function handleRequest(request) {
    return this.server.handleRequest(this, request, () => original.call(this, request));
  };
}

export function createServer(version, options) {
  const mock = require(`mock-server-${version}`);
  const certs = path.join(path.dirname(require.resolve(`mock-server-${version}/package.json`)), 'certs');
  const zkSecret = Buffer.from(require(path.join(certs, 'zk-params.json')).secretParams, 'base64');
  const { Connection } = require(`mock-server-${version}/src/server/ws/connection.js`);
  const shape = shapes[version];

  class HarnessServer extends mock.Server {
    queues = new Map();
    players = new Map(); // mock device → Device (device.mjs): those whose keys the harness holds
    faults = new Faults();
    deviceInfo = new Map();
    requests = new Map();
    sockets = new Set();
    groupService = new GroupService(zkSecret);
    multiRecipient = new MultiRecipient({ server: this, groups: this.groupService });

    queueOf(device) {
      let queue = this.queues.get(device);
      if (!queue) {
        queue = new DeliveryQueue({ window: options.window,
          onEmpty: () => this.emit('queueEmpty', { account: device.aci, device: device.deviceId }) });
        this.queues.set(device, queue);
      }
      return queue;
    }

    emit(event, fields) {
      options.onEvent({ event, ...fields });
    }

    // The mock calls these three when a device's websocket comes, goes, and when there is something for it.
    async addWebSocket(device, socket) {
      this.webSockets.get(device)?.ws.close(4409, 'Connected elsewhere');
      this.webSockets.set(device, socket);
      this.emit('connected', { account: device.aci, device: device.deviceId });
      this.queueOf(device).connect(socket);
    }

    removeWebSocket(device, socket) {
      if (this.webSockets.get(device) === socket) this.webSockets.delete(device);
      if (this.queueOf(device).disconnect(socket)) {
        this.emit('disconnected', { account: device.aci, device: device.deviceId });
      }
    }

    async send(device, envelope) {
      this.queueOf(device).push(envelope);
    }

    /** Builds an envelope as the server hands it out, and queues it. */
    deliver(device, { guid = crypto.randomUUID(), ...fields }) {
      const bytes = encodeEnvelope({ serverTimestamp: Date.now(), urgent: true, ...this.#guid(guid), ...fields });
      this.queueOf(device).push(bytes);
      return guid;
    }

    #guid(guid) {
      switch (options.serverGuids) {
        case 'binary': return { serverGuidBinary: Buffer.from(guid.replaceAll('-', ''), 'hex') };
        case 'string': return { serverGuid: guid };
        default: return {};
      }
    }

    // A message that the service accepted: to a device of the harness, or into the queue of a real one.
    async handleMessage(source, kind, type, target, content, timestamp) {
      const player = this.players.get(target);
      if (player) {
        if (options.deaf) return; // for measurements: taken, and not opened
        const opened = player.account.receive(player, { type, kind, source, content, timestamp: Number(timestamp) });
        if (options.awaitRecipient) await opened;
        return;
      }
      if (!target.isProvisioned) return;
      this.deliver(target, {
        type: envelopeTypes[type],
        sourceServiceIdBinary: source?.aciBinary,
        sourceDeviceId: source?.deviceId,
        destinationServiceIdBinary: target.getServiceIdBinaryByKind(kind),
        clientTimestamp: Number(timestamp),
        content,
      });
    }

    // 15.2.0 finds a device by its place in the list, which is wrong once one was removed.
    async getDevice(number, deviceId) {
      return this.devices.get(number)?.find((device) => device.deviceId === deviceId);
    }

    /** Takes a device off its account and its log-in away, as DELETE /v1/devices/ID does. */
    async unlink(device) {
      const list = this.devices.get(shape.listKey(device)) ?? [];
      const at = list.indexOf(device);
      if (at < 0) throw new Error(`no such device: ${device.aci}.${device.deviceId}`);
      list.splice(at, 1);
      for (const login of shape.logins(device)) this.devicesByAuth.delete(login);
      this.webSockets.get(device)?.ws.close(4401, 'Reauthentication required');
      this.players.delete(device);
    }

    listDevices(device) {
      return (this.devices.get(shape.listKey(device)) ?? []).map((one) => ({
        id: one.deviceId,
        name: this.deviceInfo.get(one)?.name,
        lastSeen: Math.floor(Date.now() / 86_400_000) * 86_400_000,
        registrationId: shape.registrationId(one, 'ACI'),
        createdAtCiphertext: Buffer.alloc(57, 1).toString('base64').replace(/=+$/, ''),
      }));
    }

    async listen(port, host) {
      await super.listen(port, host);
      this.host = host;
      this.port = this.address().port;
      this.https.on('secureConnection', (socket) => {
        this.sockets.add(socket);
        socket.on('close', () => this.sockets.delete(socket));
        socket.on('error', () => undefined);
      });
      this.#wrap('request', (req, res, handle) => {
        const url = req.url.split('?')[0];
        const file = path.join(options.cdn3Path, url.replace(/^\/cdn3\//, ''));
        return faultyHTTP(this.faults.match('http', req.method, url), req, res, () => this.#serve(req, res, url, handle),
          file);
      });
      this.#wrap(version === 27 ? 'connect' : 'upgrade', (req, res, handle) => this.#admit(req, res, handle));
    }

    // What the mock lacks over HTTP; with options.plainGroups it keeps its groups to itself.
    #serve(req, res, url, handle) {
      if (!options.plainGroups && this.groupService.handles(req.method, url)) return this.groupService.serve(req, res);
      if (!options.plainGroups && url === grpcPath) return this.multiRecipient.grpc(req, res);
      return handle();
    }

    #wrap(event, around) {
      const [original] = this.https.listeners(event);
      this.https.removeAllListeners(event);
      this.https.on(event, (req, res, ...rest) => {
        this.#count(`${req.method} ${req.url.split('?')[0]}`);
        void Promise.resolve(around(req, res, () => original(req, res, ...rest)))
          .catch((error) => console.error('harness:', error));
      });
    }

    #count(request) {
      this.requests.set(request, (this.requests.get(request) ?? 0) + 1);
    }

    // Signal-Server answers the upgrade itself: 403 to a device it does not know.
    async #admit(req, res, handle) {
      const rule = this.faults.match('upgrade', req.method, req.url);
      const login = shape.credentials(req);
      const refused = rule ? rule.status : (login && !(await this.auth(login.login, login.password)) ? 403 : 0);
      if (!refused) return handle();
      this.emit('refused', { status: refused, login: login?.login });
      if (version === 27) {
        res.writeHead(refused, rule?.httpHeaders);
        return res.end();
      }
      return res.end(`HTTP/1.1 ${refused} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    }

    /** Cuts every connection. */
    dropConnections() {
      const count = this.sockets.size;
      for (const socket of this.sockets) socket.destroy();
      return count;
    }

    /** The service is gone: connections cut, the port closed; until comeBack. */
    goAway() {
      this.https.close();
      this.dropConnections();
    }

    async comeBack() {
      await new Promise((resolve, reject) => {
        this.https.once('error', reject);
        this.https.listen(this.port, this.host, () => {
          this.https.off('error', reject);
          resolve();
        });
      });
    }

    /** A request over a websocket: faults first, then what the mock lacks, then the mock. */
    handleRequest(connection, request, handle) {
      const [url] = request.path.split('?');
      this.#count(`${request.verb} ${url}`);
      const rule = this.faults.match('ws', request.verb, url);
      return faultyRequest(rule, connection, request, () => this.#answer(connection, request, url, handle));
    }

    async #answer(connection, request, url, handle) {
      const answer = (status, body) => ({ id: request.id, status, message: null,
        headers: ['Content-Type:application/json'], body: Buffer.from(JSON.stringify(body ?? {})) });
      if (request.verb === 'GET' && url === '/v1/devices' && connection.device) {
        return answer(200, { devices: this.listDevices(connection.device) });
      }
      if (request.verb === 'PUT' && url === '/v1/accounts/attributes' && connection.device) return answer(200);
      if (request.verb === 'PUT' && url === '/v1/devices/link') return this.#link(request, handle);
      if (options.plainGroups && version === 15) return handle();
      if (request.verb === 'PUT' && url === '/v1/messages/multi_recipient') {
        return answer(...(await this.multiRecipient.rest(request, connection.device)));
      }
      if (!options.plainGroups && !this.#tokenHolds(request, url)) return answer(401, { error: 'group send token' });
      return this.#forged(request, url, await handle());
    }

    // A group send token may stand for one account's access key; the mock takes any.
    #tokenHolds(request, url) {
      const token = headerOf(request, 'group-send-token');
      const [, serviceId] = /^\/v[12]\/(?:messages|keys|profile)\/([^/]+)/.exec(url) ?? [];
      if (token === undefined || serviceId === undefined) return true;
      return this.groupService.verifyToken([signal.ServiceId.parseFromServiceIdString(serviceId)], token);
    }

    // Credentials that do not verify, where a test asked for them.
    #forged(request, url, response) {
      const what = url === '/v1/certificate/auth/group' ? 'authCredential' : 'profileCredential';
      const body = /^\/v1\/(certificate\/auth\/group|profile\/[^/]+\/[^/]+\/.+)/.test(url) && response.status === 200
        && this.groupService.forged.has(what) ? JSON.parse(Buffer.from(response.body).toString()) : undefined;
      if (!body || !(body.credential || body.credentials) || !this.groupService.forge(what)) return response;
      const broken = (base64) => flip(Buffer.from(base64, 'base64')).toString('base64');
      if (body.credential) body.credential = broken(body.credential);
      for (const one of body.credentials ?? []) one.credential = broken(one.credential);
      return { ...response, body: Buffer.from(JSON.stringify(body)) };
    }

    // The mock forgets the device's name; a list of devices has it.
    async #link(request, handle) {
      const { accountAttributes } = JSON.parse(Buffer.from(request.body).toString());
      const response = await handle();
      if (response.status === 200) {
        const { uuid, deviceId } = JSON.parse(Buffer.from(response.body).toString());
        const device = await this.getDeviceByServiceId(uuid, deviceId);
        this.deviceInfo.set(device, accountAttributes);
        this.emit('linkRequest', { account: uuid, device: deviceId, attributes: accountAttributes });
      }
      return response;
    }
  }

  teach(Connection);

  const server = new HarnessServer({ cdn3Path: options.cdn3Path, timeout: options.timeout });
  const itsOwn = createRequire(require.resolve(`mock-server-${version}`));
  server.harnessLibrary = itsOwn('@signalapp/libsignal-client/zkgroup.js');
  return new Backend({ version, mock, server, shape, certs, options });
}

/** What the harness's devices need of the mock, in terms of bytes: each side has its own copy of the official library. */
class Backend {
  accounts = new Map(); // by ACI

  constructor({ version, mock, server, shape, certs, options }) {
    Object.assign(this, { version, mock, server, shape, certs });
    const { folder, cdn3Path, port = 0, plainGroups } = options;
    Object.assign(this, { folder, cdn3Path, port });
    this.library = createRequire(require.resolve(`mock-server-${version}`))('@signalapp/libsignal-client');
    this.protobufs = require(`mock-server-${version}/protos/compiled.js`).signalservice;
    this.trustRoots = [require(path.join(certs, 'trust-root.json')).publicKey];
    this.zkParams = require(path.join(certs, 'zk-params.json'));
    this.trustRoot = signal.PublicKey.deserialize(Buffer.from(this.trustRoots[0], 'base64'));
    this.groups = plainGroups ? new PlainGroups(this) : server.groupService;
  }

  stop() {
    this.server.goAway();
  }

  async start() {
    await this.server.listen(this.port, '127.0.0.1');
    return this.#environment();
  }

  createAccount(options) {
    return MockAccount.create({ ...options, backend: this });
  }

  get StorageState() {
    return this.mock.StorageState;
  }

  registrationId(device, kind) {
    return this.shape.registrationId(device, kind);
  }

  senderCertificate(device) {
    return this.server.getSenderCertificate(device);
  }

  async setKeys(device, kind, keys) {
    const { PublicKey, KEMPublicKey } = this.library;
    const ec = (key) => ({ keyId: key.keyId, publicKey: PublicKey.deserialize(Buffer.from(key.publicKey)),
      signature: key.signature && Buffer.from(key.signature) });
    const kem = (key) => ({ keyId: key.keyId, publicKey: KEMPublicKey.deserialize(Buffer.from(key.publicKey)),
      signature: Buffer.from(key.signature) });
    async function* forever(make, convert) {
      for (;;) yield convert(await make());
    }
    await device.setKeys(kind, {
      identityKey: PublicKey.deserialize(Buffer.from(keys.identityKey)),
      signedPreKey: ec(keys.signedPreKey),
      lastResortKey: kem(keys.lastResortKey),
      preKeyIterator: forever(keys.nextPreKey, ec),
      kyberPreKeyIterator: forever(keys.nextKyberPreKey, kem),
    });
  }

  /** A prekey bundle as GET /v2/keys would hand it out. */
  async takeBundle(device, kind) {
    const bytes = (key) => key && { keyId: key.keyId, publicKey: Buffer.from(key.publicKey.serialize()),
      signature: key.signature && Buffer.from(key.signature) };
    const { identityKey, preKey, signedPreKey, pqPreKey } = await device.popSingleUseKey(kind);
    return { registrationId: this.registrationId(device, kind), identityKey: Buffer.from(identityKey.serialize()),
      preKey: bytes(preKey), signedPreKey: bytes(signedPreKey), kyberPreKey: bytes(pqPreKey) };
  }

  // Attachments.

  async storeAttachment(blob) {
    const cdnKey = crypto.randomUUID();
    await this.server.storeAttachmentOnCdn(3, cdnKey, blob);
    return { cdnNumber: 3, cdnKey };
  }

  readAttachment({ cdnKey = '' }) {
    return fs.readFile(path.join(this.cdn3Path, 'attachments', path.basename(cdnKey)));
  }

  // What a test has happen to accounts.

  register = ({ primary }, kind) => this.server.register(primary, kind);
  unregister = ({ primary }, kind) => this.server.unregister(primary, kind);

  /** The contact's profile key has changed, and nobody was told: whoever knows the old access key gets a 401. */
  newAccessKey(account) {
    for (const device of account.serviceDevices()) device.accessKey = crypto.randomBytes(16);
  }

  async link({ primary }, uri) {
    const provision = await this.server.waitForProvision();
    return (await provision.complete({ provisionURL: uri, primaryDevice: primary })).deviceId;
  }

  realDevice(account, id) {
    return account.serviceDevices()
      .find((one) => !this.server.players.has(one) && (id === undefined || one.deviceId === id));
  }

  unlink = (account, device) => this.server.unlink(device);
  deliver = (device, fields) => this.server.deliver(device, fields);

  /** One more device for the account, with nothing but its registration. */
  async addDevice(primary) {
    const id = () => crypto.randomInt(1, 0x3fff);
    const device = await this.server.registerDevice({ primary: primary.device, registrationId: id(),
      pniRegistrationId: id(), password: crypto.randomBytes(8).toString('hex'), ...this.shape.extra() });
    primary.addSecondaryDevice(device);
    return device;
  }

  async registerDevice({ primary }) {
    const device = await this.addDevice(primary);
    device.registrationIds = { ACI: this.registrationId(device, 'ACI'), PNI: this.registrationId(device, 'PNI') };
    const [login] = this.shape.logins(device);
    return { device, login, password: this.server.devicesByAuth.get(login).password };
  }

  /** What a client of another process needs. */
  get client() {
    return { version: this.version, port: this.server.port, ca: path.join(this.certs, 'ca-cert.pem') };
  }

  async #environment() {
    const { certs, zkParams, trustRoots, server: { port } } = this;
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
    return { file, port };
  }
}
