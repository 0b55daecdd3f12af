// Writes testdata/vectors/storage.json: manifests and items as mock-server 27.0.0 encrypts them, with both ways to
// derive an item's key, and a contact stream as it serialises one.
//
//   cd testdata/interop && node vectors/storage.mjs

import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import mockCrypto from 'mock-server-27/src/crypto.js';
import mockContacts from 'mock-server-27/src/data/contacts.js';
import mockProtos from 'mock-server-27/protos/compiled.js';

const { signalservice } = mockProtos;
const hex = (bytes) => Buffer.from(bytes).toString('hex');

const contactRecord = (n) => ({
  e164: `+1555${String(n).padStart(7, '0')}`, profileKey: randomBytes(32), identityKey: null, identityState: 1,
  givenName: `Given ${n}`, familyName: `Family ${n}`, username: null, blocked: n % 2 === 0, whitelisted: true,
  archived: false, markedUnread: false, mutedUntilTimestamp: 9223372036854775807n, hideStory: false,
  unregisteredAtTimestamp: 0n, systemGivenName: null, systemFamilyName: null, systemNickname: null, hidden: n % 3 === 0,
  pniSignatureVerified: true, nickname: null, note: null, avatarColor: null, aciBinary: randomBytes(16),
  pniBinary: randomBytes(16),
});

const cases = [];
for (let n = 0; n < 8; n += 1) {
  const storageKey = randomBytes(32);
  const recordIkm = n % 2 ? randomBytes(32) : undefined;
  const key = randomBytes(16);
  const version = BigInt(n) * 1_000_000_007n + 1n;
  const contact = contactRecord(n);
  const manifest = mockCrypto.encryptStorageManifest(storageKey, {
    version, sourceDevice: 1, identifiers: [{ raw: key, type: 1 }], recordIkm: recordIkm ?? null,
  });
  const item = mockCrypto.encryptStorageItem({ storageKey, key, recordIkm, record: { record: { contact } } });
  cases.push({
    storageKey: hex(storageKey), recordIkm: recordIkm ? hex(recordIkm) : '', version: version.toString(),
    manifest: hex(signalservice.StorageManifest.encode(manifest)), item: hex(signalservice.StorageItem.encode(item)),
    itemKey: hex(key), number: contact.e164, aci: hex(contact.aciBinary), pni: hex(contact.pniBinary),
    profileKey: hex(contact.profileKey), name: `Given ${n} Family ${n}`, blocked: contact.blocked, hidden: contact.hidden,
  });
}

const people = Array.from({ length: 200 }, (_, n) => ({
  aciBinary: randomBytes(16), number: n % 3 ? `+1555${n}` : undefined, profileName: 'Name '.repeat(n % 40),
}));
const contacts = {
  stream: hex(mockContacts.serializeContacts(people)),
  people: people.map((p) => ({ aci: hex(p.aciBinary), number: p.number ?? '', name: p.profileName })),
};

writeFileSync(new URL('../../vectors/storage.json', import.meta.url),
  `${JSON.stringify({ generator: 'mock-server 27.0.0', cases, contacts }, null, 1)}\n`);
