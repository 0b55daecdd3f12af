// Writes testdata/vectors/attachmentcipher.json. The encryption is that of Signal's mock server, the incremental MAC
// that of the official library; the sizes of the padding follow the formula of Signal-Desktop's logPadSize.
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import {
  DigestingPassThrough, inferChunkSize, everyNthByte, chunkSizeInBytes,
} from '@signalapp/libsignal-client/dist/incremental_mac.js';
import mockCrypto from 'mock-server-27/src/crypto.js';

const padded = (size) => Math.max(541, Math.floor(1.05 ** Math.ceil(Math.log(size) / Math.log(1.05))));
const sha256 = (data) => createHash('sha256').update(data).digest('hex');

// The plaintext of a vector is a function of its size, so that large ones need no room.
function plaintextOf(size) {
  const out = Buffer.alloc(size);
  for (let i = 0; i < size; i++) out[i] = (i * 31 + (i >> 8) * 7 + size) & 0xff;
  return out;
}

async function incremental(macKey, choice, data) {
  const digester = new DigestingPassThrough(macKey, choice);
  digester.resume();
  for (let at = 0; at < data.length; at += 50_000) digester.write(data.subarray(at, at + 50_000));
  digester.end();
  await finished(digester);
  return Buffer.from(digester.getFinalDigest()).toString('hex');
}

const sizes = [];
for (let size = 0; size < 3000; size += 1) sizes.push([size, padded(size)]);
for (let exponent = 165; exponent < 560; exponent += 1) {
  const edge = Math.floor(1.05 ** exponent);
  if (edge > 8e9) break;
  for (const size of [edge - 1, edge, edge + 1]) sizes.push([size, padded(size)]);
}

const cases = [];
for (const size of [0, 1, 15, 16, 17, 541, 542, 1000, 65_487, 65_536, 131_072, 300_001, 17_000_000]) {
  for (const pad of size === 17_000_000 ? [true] : [true, false]) {
    const key = randomBytes(64);
    const iv = randomBytes(16);
    const plaintext = plaintextOf(size);
    const filled = pad ? Buffer.concat([plaintext, Buffer.alloc(padded(size) - size)]) : plaintext;
    const { blob, digest } = mockCrypto.encryptAttachment(filled, {
      aesKey: key.subarray(0, 32), macKey: key.subarray(32), iv,
    });
    const choice = inferChunkSize(blob.length);
    cases.push({
      size, padded: pad, key: key.toString('hex'), iv: iv.toString('hex'),
      encrypted: blob.length < 3000 ? blob.toString('hex') : undefined,
      encryptedSize: blob.length, encryptedHash: sha256(blob), digest: digest.toString('hex'),
      plaintextHash: sha256(plaintext), chunkSize: chunkSizeInBytes(choice),
      incrementalMac: await incremental(key.subarray(32), choice, blob),
    });
  }
}

const chunks = [];
for (const size of [0, 1, 65_536, 16_777_215, 16_777_216, 16_777_217, 100_000_000, 536_870_911, 536_870_912, 2 ** 32 - 1]) {
  chunks.push([size, chunkSizeInBytes(inferChunkSize(size))]);
}

const macKey = randomBytes(32);
const data = randomBytes(1000);
const incrementals = [];
for (const [length, chunk] of [[0, 10], [1, 10], [10, 10], [11, 10], [20, 10], [1000, 1], [1000, 333], [1000, 1000], [1000, 2000]]) {
  incrementals.push({
    length, chunk, macs: await incremental(macKey, everyNthByte(chunk), data.subarray(0, length)),
  });
}

const out = {
  sizes, chunks, cases,
  incremental: { macKey: macKey.toString('hex'), data: data.toString('hex'), cases: incrementals },
};
writeFileSync(new URL('../../vectors/attachmentcipher.json', import.meta.url), `${JSON.stringify(out)}\n`);
