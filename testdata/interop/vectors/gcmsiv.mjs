// Writes testdata/vectors/gcmsiv.json: what the official library seals with AES-256-GCM-SIV, of many lengths.
import { randomBytes, randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Aes256GcmSiv } from '@signalapp/libsignal-client';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const lengths = [0, 1, 12, 15, 16, 17, 31, 32, 33, 100, 255, 256, 257, 1000, 4096];
const cases = [];
for (const length of lengths) {
  for (const additionalLength of [0, randomInt(1, 50), 16]) {
    const [key, plaintext, additional] = [32, length, additionalLength].map((n) => randomBytes(n));
    const nonce = additionalLength === 0 ? new Uint8Array(12) : randomBytes(12);
    cases.push({
      key: hex(key), nonce: hex(nonce), plaintext: hex(plaintext), additional: hex(additional),
      sealed: hex(Aes256GcmSiv.new(key).encrypt(plaintext, nonce, additional)),
    });
  }
}
writeFileSync(new URL('../../vectors/gcmsiv.json', import.meta.url), `${JSON.stringify(cases)}\n`);
