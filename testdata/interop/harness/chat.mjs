// The chat websocket as a client has it, in the shape of either version of the service: requests and their answers both
// ways. What is said over it is not known here.
import http2 from 'node:http2';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { WebSocket } = require('ws');
const { signalservice } = require('mock-server-15/protos/compiled.js');
const WebSocketMessage = signalservice.WebSocketMessage;

export const basic = (login, password) => `Basic ${Buffer.from(`${login}:${password}`).toString('base64')}`;

export class Chat {
  waiting = new Map();
  held = [];
  lastId = 0;
  closed = false;

  /** `overHTTP2` takes a websocket on a stream (RFC 8441), as the apps do; without a login it says not whose it is. */
  static async connect({ overHTTP2, port, ca, login, password, headers = {} }) {
    const chat = new Chat();
    const all = login ? { ...headers, authorization: basic(login, password) } : headers;
    if (overHTTP2) await chat.#connectHTTP2(port, ca, all);
    else await chat.#connectHTTP1(port, ca, all);
    return chat;
  }

  async #connectHTTP2(port, ca, headers) {
    this.session = http2.connect(`https://127.0.0.1:${port}`, { ca });
    await new Promise((resolve, reject) => {
      this.session.once('remoteSettings', resolve);
      this.session.once('error', reject);
    });
    const stream = this.session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/v1/websocket/',
      ...headers });
    await new Promise((resolve, reject) => {
      stream.once('response', resolve);
      stream.once('error', reject);
    });
    this.#adopt(new WebSocket(null, undefined, {}));
    this.ws._isServer = false;
    this.ws.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 24 });
  }

  async #connectHTTP1(port, ca, headers) {
    this.#adopt(new WebSocket(`wss://127.0.0.1:${port}/v1/websocket/`, { ca, headers, perMessageDeflate: false }));
    await new Promise((resolve, reject) => {
      this.ws.once('open', resolve);
      this.ws.once('error', reject);
    });
  }

  #adopt(ws) {
    this.ws = ws;
    ws.on('message', (data) => this.#message(WebSocketMessage.decode(data)));
    ws.on('error', () => undefined); // close follows
    ws.on('close', () => {
      this.closed = true;
      for (const { reject } of this.waiting.values()) reject(new Error('the connection has ended'));
      this.waiting.clear();
      this.onClose?.();
    });
  }

  #message({ type, request, response }) {
    if (type === WebSocketMessage.Type.REQUEST) {
      if (this.onRequest) this.#take(request);
      else this.held.push(request);
      return;
    }
    const waiter = this.waiting.get(Number(response.id));
    this.waiting.delete(Number(response.id));
    waiter?.resolve(response);
  }

  /** Starts handing over requests; those that came before are not lost. */
  listen(onRequest) {
    this.onRequest = onRequest;
    for (const request of this.held.splice(0)) this.#take(request);
  }

  #take(request) {
    void this.onRequest(request, () => this.#acknowledge(request));
  }

  #acknowledge({ id }) {
    this.ws.send(WebSocketMessage.encode({ type: WebSocketMessage.Type.RESPONSE,
      response: { id, status: 200, message: 'OK' } }).finish());
  }

  /** Answers status and JSON, whatever the status. */
  async call(verb, url, body, headers = []) {
    if (this.closed) throw new Error(`${verb} ${url}: the connection has ended`);
    const id = ++this.lastId;
    const answered = new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    const typed = headers.some((header) => header.startsWith('content-type:'));
    this.ws.send(WebSocketMessage.encode({ type: WebSocketMessage.Type.REQUEST, request: { id, verb, path: url,
      headers: typed ? headers : ['content-type:application/json', ...headers],
      body: body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)) } }).finish());
    const response = await answered;
    return { status: response.status,
      json: response.body?.length ? JSON.parse(Buffer.from(response.body).toString()) : {} };
  }

  /** The answer's JSON; what is not a success throws. */
  async request(verb, url, body, headers) {
    const { status, json } = await this.call(verb, url, body, headers);
    if (status >= 300) throw new Error(`${verb} ${url}: ${status} ${JSON.stringify(json)}`);
    return json;
  }

  close() {
    this.onClose = undefined;
    this.ws.close();
    this.session?.close();
  }
}
