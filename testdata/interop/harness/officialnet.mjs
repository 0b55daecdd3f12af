// The network half of the official library (its `Net`): the client that the apps speak to the chat service with. Its
// requests, its reading of answers and its errors are none of ours.
import crypto from 'node:crypto';
import * as signal from '@signalapp/libsignal-client';

const { ErrorCode } = signal;
const patience = 120_000;
// The library's calls that it makes by gRPC unless its remote configuration says "ws". The sandbox has the first by both.
const [toMany, ...others] = ['grpc.MessagesAnonymousSendMultiRecipientMessage.2', 'grpc.MessagesSendMessage',
  'grpc.MessagesAnonymousSendSingleRecipientMessage', 'grpc.AttachmentsGetUploadForm',
  'grpc.AccountsAnonymousCheckAccountExistence.2'];

/** What an error of the library says, as JSON. */
export function describeError(error) {
  const { code, message, retryAfterSecs, token, options, entries } = error;
  return { code: ErrorCode[code] ?? error.name, message, retryAfterSeconds: retryAfterSecs ?? undefined, token,
    options: options && [...options],
    entries: entries?.map(({ account, missingDevices, extraDevices, staleDevices }) =>
      ({ account: account.getServiceIdString(), missing: missingDevices, extra: extraDevices, stale: staleDevices })) };
}

/** Where the service is. `http` is the version of HTTP that websockets are opened on: 2 unless told otherwise. */
export class OfficialNet {
  constructor({ port, ca, userAgent, http = 2, grpc = false }) {
    this.net = new signal.Net.Net({ localTestServer: true, userAgent, TESTING_localServer_chatPort: port,
      TESTING_localServer_cdsiPort: port, TESTING_localServer_svr2Port: port, TESTING_localServer_svrBPort: port,
      TESTING_localServer_rootCertificateDer: new crypto.X509Certificate(ca).raw,
      TESTING_localServer_httpVersion: http });
    this.net.setRemoteConfig(new Map((grpc ? others : [toMany, ...others]).map((call) => [call, 'ws'])));
  }

  /** Without a login, a connection that does not say whose it is. */
  async connect({ login, password } = {}) {
    const chat = new OfficialChat();
    this.net.onNetworkChange(); // it waits with a service that has failed, unless the network has changed
    const anonymous = { onConnectionInterrupted: (cause) => chat.onConnectionInterrupted(cause) };
    chat.connection = login ? await this.net.connectAuthenticatedChat(login, password, false, chat)
      : await this.net.connectUnauthenticatedChat(anonymous);
    return chat;
  }
}

/** A connection with what Chat (chat.mjs) has, too. */
class OfficialChat {
  held = [];
  closed = false;

  // What the library calls.

  onIncomingMessage(envelope, timestamp, acknowledgement) {
    const message = { body: Buffer.from(envelope), acknowledge: () => this.#acknowledge(acknowledgement) };
    if (this.onMessage) this.onMessage(message);
    else this.held.push(message);
  }

  #acknowledge(acknowledgement) {
    try {
      acknowledgement.send(200);
    } catch {
      // The connection has ended, and the message comes again.
    }
  }

  onQueueEmpty() {
    this.empty = true;
    this.onEmpty?.();
  }

  onConnectionInterrupted(cause) {
    Object.assign(this, { closed: true, cause });
    this.onClose?.(cause);
  }

  /** Starts handing over messages; those that came before are not lost. */
  listen(onMessage) {
    this.onMessage = onMessage;
    for (const message of this.held.splice(0)) onMessage(message);
  }

  /** A request as it is; answers {status, message, headers, body}. */
  fetch(verb, path, body, headers = []) {
    return this.connection.fetch({ verb, path, headers, timeoutMillis: patience,
      body: body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)) });
  }

  /** Answers status and JSON, whatever the status. */
  async call(verb, path, body, lines = []) {
    const headers = lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]);
    if (!headers.some(([name]) => name === 'content-type')) headers.push(['content-type', 'application/json']);
    const answer = await this.fetch(verb, path, body, headers);
    return { status: answer.status, json: answer.body?.length ? JSON.parse(Buffer.from(answer.body).toString()) : {} };
  }

  /** The answer's JSON; what is not a success throws. */
  async request(verb, path, body, headers) {
    const { status, json } = await this.call(verb, path, body, headers);
    if (status < 300) return json;
    throw Object.assign(new Error(`${verb} ${path}: ${status} ${JSON.stringify(json)}`), { status, json });
  }

  /**
   * Sends messages to an account's devices by the library's own calls. `auth` is a sealed message's leave, `self` is for
   * our own other devices.
   */
  send(destination, { timestamp, messages, auth, self = false, online = false }) {
    const contents = messages.map(({ deviceId, registrationId, content }) =>
      ({ deviceId, registrationId, contents: content }));
    const request = { destination: signal.ServiceId.parseFromServiceIdString(destination), timestamp, contents,
      onlineOnly: online, urgent: true };
    if (self) return this.connection.sendSyncMessage(request);
    return this.connection.sendMessage(auth ? { ...request, auth } : request);
  }

  /** Sends one message to many; answers who of them is not registered. */
  async sendToMany(payload, { timestamp, auth, online = false }) {
    const { unregisteredIds } = await this.connection.sendMultiRecipientMessage({ payload, timestamp, auth,
      onlineOnly: online, urgent: true });
    return unregisteredIds.map((id) => id.getServiceIdString());
  }

  close() {
    this.onClose = undefined;
    void this.connection.disconnect();
  }
}
