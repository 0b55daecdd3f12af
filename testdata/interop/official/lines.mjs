// What the scripts that play the official library for Go tests have in common: one JSON object a line in, one out; bytes
// are hexadecimal, times are seconds since the epoch.
import { createInterface } from 'node:readline';
import { Aci } from '@signalapp/libsignal-client';

export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const unhex = (text) => Buffer.from(text, 'hex');
export const out = (value) => hex(value.serialize());
export const aciOf = (text) => Aci.parseFromServiceIdString(text);
export const date = (seconds) => new Date(seconds * 1000);

const refusal = (error) => ({ error: String(error) });

// Makes a function that does what {"op": "...", ...arguments} says, and returns {"result": ...} or {"error": "..."}.
export const answering = (operations) => ({ op, ...request }) => {
  try {
    const result = operations[op](request);
    return result instanceof Promise ? result.then((value) => ({ result: value }), refusal) : { result };
  } catch (error) {
    return refusal(error);
  }
};

// Answers the requests on stdin, one after the other.
export async function serve(answer) {
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
  }
}
