// Writes testdata/vectors/profile.json: access keys and profile key versions of the official library, and profile
// fields, names and verifiers as the mock server and Signal-Desktop's encryptProfileItemWithPadding make them.
import { createCipheriv, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Aci } from '@signalapp/libsignal-client';
import { ProfileKey } from '@signalapp/libsignal-client/zkgroup.js';
import mockCrypto from 'mock-server-27/src/crypto.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');

const keys = [];
for (let i = 0; i < 50; i += 1) {
  const key = new ProfileKey(randomBytes(32));
  const aci = Aci.fromUuidBytes(randomBytes(16));
  const accessKey = Buffer.from(key.deriveAccessKey());
  keys.push({
    key: hex(key.serialize()), aci: aci.getServiceIdString(),
    accessKey: hex(accessKey), mockAccessKey: hex(mockCrypto.deriveAccessKey(key.serialize())),
    verifier: hex(mockCrypto.generateAccessKeyVerifier(accessKey)),
    version: key.getProfileKeyVersion(aci).toString(),
  });
}

const key = randomBytes(32);
function padded(text, length) {
  const plaintext = Buffer.alloc(length);
  plaintext.set(Buffer.from(text));
  const iv = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  return hex(Buffer.concat([iv, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}
const long = 'ñ'.repeat(60);
const names = [
  { given: 'Alice', family: '', encrypted: hex(mockCrypto.encryptProfileName(key, 'Alice')) },
  { given: 'Alice', family: 'Smith', encrypted: hex(mockCrypto.encryptProfileName(key, 'Alice\0Smith')) },
  { given: 'Alice', family: '', encrypted: padded('Alice', 53) },
  { given: 'Alice', family: 'Smith', encrypted: padded('Alice\0Smith', 53) },
  { given: long, family: 'Ж', encrypted: padded(`${long}\0Ж`, 257) },
  { given: '', family: '', encrypted: padded('', 53) },
];
const texts = [['Hello', 128], ['', 128], ['x'.repeat(129), 254], ['é'.repeat(200), 512], ['🎉', 32]]
  .map(([text, length]) => ({ text, length, encrypted: padded(text, length) }));
const flags = [[true, '\u0001'], [false, '\u0000']].map(([flag, text]) => ({ flag, encrypted: padded(text, 1) }));
writeFileSync(new URL('../../vectors/profile.json', import.meta.url),
  `${JSON.stringify({ keys, fields: { key: hex(key), names, texts, flags } })}\n`);
