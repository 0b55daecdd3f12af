// Faults a test asks for: rules over requests, on the websocket ("ws") and on plain HTTP and gRPC ("http").
// A rule matches verb and path (a regular expression), so many times, and then answers, delays, drops or cuts. Rules
// on "answer" are for gRPC uploads for many recipients: they are served, and the answer is lost.
import fs from 'node:fs';

export class Faults {
  rules = [];
  lastId = 0;

  add(rule) {
    const id = ++this.lastId;
    this.rules.push({ on: 'ws', times: 1, action: 'respond', status: 500, hits: 0, ...rule, id,
      pattern: new RegExp(rule.path ?? '.*') });
    return id;
  }

  remove(id) {
    const rule = this.rules.find((rule) => rule.id === id);
    this.rules = this.rules.filter((rule) => rule.id !== id);
    return rule?.hits ?? 0;
  }

  match(on, verb, path) {
    const rule = this.rules.find((rule) => rule.on === on && (!rule.verb || rule.verb === verb)
      && (rule.times < 0 || rule.hits < rule.times) && rule.pattern.test(path));
    if (rule) rule.hits++;
    return rule;
  }
}

const delay = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const json = (body) => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? {}));

/** Applies a rule to a request over the websocket; answers the response, or undefined to answer nothing. */
export async function faultyRequest(rule, connection, request, handle) {
  switch (rule?.action) {
    case undefined:
      return handle();
    case 'respond':
      return { id: request.id, status: rule.status, message: rule.message ?? null,
        headers: ['Content-Type:application/json', ...(rule.headers ?? [])], body: json(rule.body) };
    case 'delay':
      await delay(rule.delayMs);
      return handle();
    case 'drop-before':
      connection.ws.terminate();
      return undefined;
    case 'drop-after':
      await handle();
      connection.ws.terminate();
      return undefined;
    case 'hang':
      return new Promise(() => undefined);
    default:
      throw new Error(`fault action ${rule.action} is not known on ws`);
  }
}

/** The same for an HTTP or gRPC request. 'truncate' starts a CDN download and cuts it after `bytes`. */
export async function faultyHTTP(rule, req, res, handle, file) {
  switch (rule?.action) {
    case undefined:
      return handle();
    case 'respond':
      res.writeHead(rule.status, { 'content-type': 'application/json',
        ...Object.fromEntries((rule.headers ?? []).map((header) => header.split(/:\s*/, 2))) });
      return res.end(json(rule.body));
    case 'delay':
      await delay(rule.delayMs);
      return handle();
    case 'drop-before':
      return cut(req, res);
    case 'drop-after': // it is done, and its answer is lost
      Object.assign(res, { writeHead: () => res, write: () => true, end: () => cut(req, res) });
      return handle();
    case 'hang':
      return undefined;
    case 'truncate': {
      const data = fs.readFileSync(file);
      res.writeHead(200, { 'content-length': data.length });
      res.write(data.subarray(0, rule.bytes), () => cut(req, res));
      return undefined;
    }
    default:
      throw new Error(`fault action ${rule.action} is not known on http`);
  }
}

/** Ends an HTTP request without an answer. */
export function cut(req, res) {
  if (req.stream?.close) req.stream.close(2); // HTTP/2: RST_STREAM, INTERNAL_ERROR
  else (req.socket ?? res.socket)?.destroy();
}
