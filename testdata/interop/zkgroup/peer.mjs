// Answers requests of the Go tests with the official library: one JSON object a line in, one out.
// {"op": "...", ...arguments} gives {"result": ...} or {"error": "..."}; {"op": "all", "requests": [...]} asks many at
// once.
import { createInterface } from 'node:readline';
import { ask } from './official.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  const answer = request.op === 'all' ? { result: request.requests.map(ask) } : ask(request);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
