// Content and Envelope as JSON: bytes are base64, numbers are numbers, enums are names.
// The protobuf classes are those of mock-server 15.2.0, whose reflection reads and writes JSON; they serve both mocks.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { signalservice } = require('mock-server-15/protos/compiled.js');

const asJSON = { longs: Number, enums: String, bytes: String, arrays: false, objects: false, oneofs: false };

export const Envelope = signalservice.Envelope;
export const EnvelopeType = Envelope.Type;

export function encodeContent(json) {
  return Buffer.from(signalservice.Content.encode(signalservice.Content.fromObject(json)).finish());
}

export function decodeContent(bytes) {
  return signalservice.Content.toObject(signalservice.Content.decode(bytes), asJSON);
}

export function encodeEnvelope(fields) {
  return Buffer.from(Envelope.encode(Envelope.fromObject(fields)).finish());
}

/** Contacts of a contact sync: each a ContactDetails after its varint length (Desktop's ContactParser). */
export function encodeContacts(contacts) {
  return Buffer.concat(contacts.map((contact) => Buffer.from(
    signalservice.ContactDetails.encodeDelimited(signalservice.ContactDetails.fromObject(contact)).finish(),
  )));
}

/** Message padding: 0x80, then zeros up to the next multiple of 80, less the one byte libsignal's own padding adds. */
export function pad(content) {
  const size = Math.ceil((content.length + 2) / 80) * 80 - 1;
  const padded = Buffer.alloc(size);
  content.copy(padded);
  padded[content.length] = 0x80;
  return padded;
}

export function unpad(bytes) {
  let end = bytes.length - 1;
  while (end >= 0 && bytes[end] === 0) end--;
  if (bytes[end] !== 0x80) throw new Error('message padding is broken');
  return bytes.subarray(0, end);
}
