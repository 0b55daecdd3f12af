// Answers requests of the Go tests with the official library: one JSON object a line in, one out.
// {"op": "...", ...arguments} gives {"result": ...} or {"error": "..."}.
import { createInterface } from 'node:readline';
import { ask } from './official.mjs';

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(ask(JSON.parse(line)))}\n`);
}
