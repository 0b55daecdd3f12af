// Has Go tests ask the official library to open what they sealed, and to seal what they open.
import { createDecipheriv, createHash, createHmac } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { PrivateKey, PublicKey, hkdf } from '@signalapp/libsignal-client';
import { ValidatingPassThrough, everyNthByte } from '@signalapp/libsignal-client/dist/incremental_mac.js';
import { answering, hex, serve, unhex } from '../official/lines.mjs';
import * as groups from './groups.mjs';
import * as sealed from './official.mjs';

const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

function check(same, what) {
  if (!same) throw new Error(`${what} does not match`);
}

// Opens an attachment as Signal-Desktop does: incremental MAC, MAC, digest, decryption, size.
async function openAttachment({ key, encrypted, digest, size, incrementalMac, chunkSize }) {
  const blob = unhex(encrypted);
  const keys = unhex(key);
  if (incrementalMac) {
    const validator = new ValidatingPassThrough(keys.subarray(32), everyNthByte(chunkSize), unhex(incrementalMac));
    validator.resume();
    validator.end(blob);
    await finished(validator);
  }
  check(hmac(keys.subarray(32), blob.subarray(0, -32)).equals(blob.subarray(-32)), 'MAC');
  check(createHash('sha256').update(blob).digest('hex') === digest, 'digest');
  const decipher = createDecipheriv('aes-256-cbc', keys.subarray(0, 32), blob.subarray(0, 16));
  const padded = Buffer.concat([decipher.update(blob.subarray(16, -32)), decipher.final()]);
  return { plaintextHash: createHash('sha256').update(padded.subarray(0, size)).digest('hex'), padded: padded.length };
}

function openProvisioning({ device, publicKey, body }) {
  const secret = PrivateKey.deserialize(unhex(device)).agree(PublicKey.deserialize(unhex(publicKey)));
  const keys = Buffer.from(hkdf(64, secret, Buffer.from('TextSecure Provisioning Message'), null));
  const blob = unhex(body);
  check(blob[0] === 1, 'version');
  check(hmac(keys.subarray(32), blob.subarray(0, -32)).equals(blob.subarray(-32)), 'MAC');
  const decipher = createDecipheriv('aes-256-cbc', keys.subarray(0, 32), blob.subarray(1, 17));
  return { message: hex(Buffer.concat([decipher.update(blob.subarray(17, -32)), decipher.final()])) };
}

function openDeviceName({ identity, ephemeral, iv, ciphertext }) {
  const secret = PrivateKey.deserialize(unhex(identity)).agree(PublicKey.deserialize(unhex(ephemeral)));
  const key = hmac(hmac(secret, 'cipher'), unhex(iv));
  const decipher = createDecipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const name = Buffer.concat([decipher.update(unhex(ciphertext)), decipher.final()]);
  check(hmac(hmac(secret, 'auth'), name).subarray(0, 16).equals(unhex(iv)), 'synthetic IV');
  return { name: name.toString() };
}

const { seal, open, sealMulti, split, certificate } = sealed;
const operations = {
  seal, open, sealMulti, split, certificate, openAttachment, openProvisioning, openDeviceName,
  ...groups.operations,
};

await serve(answering(operations));
