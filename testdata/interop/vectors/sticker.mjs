// Makes testdata/vectors/sticker.json: stickers encrypted as the apps do (Signal-Desktop ts/Crypto.ts,
// deriveStickerPackKey and encryptAttachment), with Node's own cryptography.
// Run in testdata/interop: node vectors/sticker.mjs
import { createCipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';

const cases = [0, 1, 15, 16, 17, 1000].map((size) => {
  const packKey = randomBytes(32);
  const keys = Buffer.from(hkdfSync('sha256', packKey, Buffer.alloc(32), 'Sticker Pack', 64));
  const iv = randomBytes(16);
  const plaintext = randomBytes(size);
  const cipher = createCipheriv('aes-256-cbc', keys.subarray(0, 32), iv);
  const body = Buffer.concat([iv, cipher.update(plaintext), cipher.final()]);
  const mac = createHmac('sha256', keys.subarray(32)).update(body).digest();
  return {
    packKey: packKey.toString('base64'),
    plaintext: plaintext.toString('base64'),
    encrypted: Buffer.concat([body, mac]).toString('base64'),
  };
});
writeFileSync(new URL('../../vectors/sticker.json', import.meta.url), `${JSON.stringify(cases, null, 1)}\n`);
