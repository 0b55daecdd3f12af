// HTTPS to a host of the service, with connections that are kept.
import https from 'node:https';

export class Rest {
  constructor({ ca, headers }) {
    this.headers = headers;
    this.agent = new https.Agent({ ca, keepAlive: true });
  }

  /** Answers status, headers and body, whatever the status. */
  call(method, url, { headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
      const length = body ? { 'content-length': body.length } : {};
      const request = https.request(url, { method, agent: this.agent, headers: { ...this.headers, ...length, ...headers } },
        (response) => {
          const chunks = [];
          response.on('data', (chunk) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode, headers: response.headers,
            body: Buffer.concat(chunks) }));
        });
      request.on('error', reject);
      request.end(body);
    });
  }

  close() {
    this.agent.destroy();
  }

  /** The same, but what is not a success throws. */
  async must(method, url, options) {
    const answer = await this.call(method, url, options);
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${answer.body}`);
    return answer;
  }
}
