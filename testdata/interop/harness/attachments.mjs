// Attachments as the apps make them: padded to a bucket, AES-256-CBC, HMAC-SHA256, digest over all of it
// (Signal-Desktop ts/AttachmentCrypto, signal-cli's AttachmentUtil).
import crypto from 'node:crypto';
import { once } from 'node:events';
import { DigestingPassThrough, chunkSizeInBytes, inferChunkSize }
  from '@signalapp/libsignal-client/dist/incremental_mac.js';

export const sha256 = (bytes) => crypto.createHash('sha256').update(bytes).digest('hex');

/** Reproducible bytes that do not compress: an AES-CTR key stream. */
export function pseudoRandom(size, seed) {
  const key = crypto.createHash('sha256').update(`attachment ${seed}`).digest();
  return crypto.createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

export function paddedSize(size) {
  return Math.max(541, Math.floor(1.05 ** Math.ceil(Math.log(size) / Math.log(1.05))));
}

async function incrementalMac(blob, macKey) {
  const choice = inferChunkSize(blob.length);
  const digester = new DigestingPassThrough(macKey, choice);
  digester.resume();
  digester.end(blob);
  await once(digester, 'end');
  return { incrementalMac: Buffer.from(digester.getFinalDigest()).toString('base64'), chunkSize: chunkSizeInBytes(choice) };
}

/** Encrypts the plaintext; answers the blob for the CDN and the pointer's fields. */
export async function encryptAttachment(plaintext, { incremental = false } = {}) {
  const aesKey = crypto.randomBytes(32);
  const macKey = crypto.randomBytes(32);
  const iv = crypto.randomBytes(16);
  const padded = Buffer.alloc(paddedSize(plaintext.length));
  plaintext.copy(padded);
  const cipher = crypto.createCipheriv('aes-256-cbc', aesKey, iv);
  const body = Buffer.concat([iv, cipher.update(padded), cipher.final()]);
  const blob = Buffer.concat([body, crypto.createHmac('sha256', macKey).update(body).digest()]);
  const pointer = {
    key: Buffer.concat([aesKey, macKey]).toString('base64'),
    digest: crypto.createHash('sha256').update(blob).digest('base64'),
    size: plaintext.length,
    ...(incremental ? await incrementalMac(blob, macKey) : {}),
  };
  return { blob, pointer };
}

/** Has the pointer's blob read, checks digest, MAC and padding; answers what a test asks about. */
export async function fetchAttachment(read, pointer) {
  const facts = { contentType: pointer.contentType, fileName: pointer.fileName, caption: pointer.caption,
    size: pointer.size ?? 0, cdnNumber: pointer.cdnNumber ?? 0 };
  try {
    return { ...facts, ...open(await read(pointer), pointer) };
  } catch (error) {
    return { ...facts, error: String(error.message ?? error) };
  }
}

function open(blob, pointer) {
  const key = Buffer.from(pointer.key, 'base64');
  const digest = crypto.createHash('sha256').update(blob).digest('base64');
  if (digest !== pointer.digest) throw new Error('digest differs');
  const body = blob.subarray(0, blob.length - 32);
  const mac = crypto.createHmac('sha256', key.subarray(32)).update(body).digest();
  if (!mac.equals(blob.subarray(blob.length - 32))) throw new Error('MAC differs');
  const cipher = crypto.createDecipheriv('aes-256-cbc', key.subarray(0, 32), body.subarray(0, 16));
  const padded = Buffer.concat([cipher.update(body.subarray(16)), cipher.final()]);
  const size = pointer.size ?? 0;
  if (padded.length < size) throw new Error(`is ${padded.length} bytes, its pointer says ${size}`);
  if (padded.subarray(size).some((byte) => byte !== 0)) throw new Error('padding is not zero');
  return { sha256: sha256(padded.subarray(0, size)), paddedSize: padded.length,
    bucketOK: padded.length === paddedSize(size) };
}
