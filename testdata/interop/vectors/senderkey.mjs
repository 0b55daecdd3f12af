// Writes testdata/vectors/senderkey.json: what the official library does with sender keys, step by step. Each receiver
// takes distribution messages and messages in the order that is written; each step has its outcome and the record after it.
//
//   cd testdata/interop && node vectors/senderkey.mjs
import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { decrypt, distribute, encrypt, process as take } from '../sealed/groups.mjs';

const hex = (b) => Buffer.from(b).toString('hex');

// A sender of one distribution id, who can begin a new key under it.
class Sender {
  distribution = randomUUID();
  record = '';
  async key() {
    const { message, record } = await distribute({ record: this.record, distribution: this.distribution });
    this.record = record;
    return { op: 'process', message };
  }
  rotate() { this.record = ''; }
  async say(length) {
    const plaintext = hex(randomBytes(length));
    const before = this.record;
    const { message, record } = await encrypt({ record: before, distribution: this.distribution, plaintext });
    this.record = record;
    return { op: 'decrypt', message, plaintext, before, after: record };
  }
}

async function receive(name, from, steps) {
  let record = '';
  const out = [];
  for (const { op, message, plaintext, before, after } of steps) {
    if (op === 'process') {
      const done = await take({ record, message });
      record = done.record;
      out.push({ op, message, chainId: done.chainId, iteration: done.iteration, record });
      continue;
    }
    const done = await decrypt({ record, message });
    record = done.record;
    if (done.ok && done.plaintext !== plaintext) throw new Error(`${name}: another plaintext`);
    out.push({ op, message, plaintext, error: done.error, record, before, after });
  }
  return { name, distribution: from.distribution, steps: out };
}

async function inOrder() {
  const s = new Sender();
  const steps = [await s.key()];
  for (const length of [0, 1, 15, 16, 17, 160, 1000]) steps.push(await s.say(length));
  return receive('in order', s, steps);
}

async function reordered() {
  const s = new Sender();
  const key = await s.key();
  const m = [];
  for (let i = 0; i < 12; i++) m.push(await s.say(i));
  return receive('reordered, some lost, some twice', s, [m[0], key, m[3], m[1], m[1], m[9], m[3], m[4], m[11], m[10], m[4]]);
}

async function joinedLater() {
  const s = new Sender();
  await s.key();
  const early = await s.say(20);
  const key = await s.key();
  return receive('key received late', s, [early, key, early, await s.say(20), key, await s.say(20)]);
}

async function rotated() {
  const s = new Sender();
  const steps = [];
  const first = [];
  for (let i = 0; i < 7; i++) {
    s.rotate();
    steps.push(await s.key());
    first.push(await s.say(30));
    steps.push(await s.say(30));
    if (i > 0) steps.push(first[i - 1]);
  }
  // Five keys are kept: of the first two there is nothing left.
  return receive('seven keys', s, [...steps, ...first]);
}

async function changed() {
  const s = new Sender();
  const steps = [await s.key()];
  const good = await s.say(40);
  for (const at of [0, 1, 3, 20, 30, -65, -64, -1]) {
    const message = Buffer.from(good.message, 'hex');
    message[at < 0 ? message.length + at : at] ^= 0x40;
    steps.push({ ...good, message: hex(message) });
  }
  steps.push({ ...good, message: good.message.slice(0, 100) }, good, good);
  return receive('changed on the way', s, steps);
}

const conversations = [await inOrder(), await reordered(), await joinedLater(), await rotated(), await changed()];
writeFileSync(new URL('../../vectors/senderkey.json', import.meta.url), `${JSON.stringify({
  generator: 'testdata/interop/vectors/senderkey.mjs, @signalapp/libsignal-client 0.103.0', conversations,
}, null, 1)}\n`);
