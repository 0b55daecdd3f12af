// Writes testdata/vectors/accountkeys.json: the official library's derivations from entropy pools, and the mock
// server's encryption of storage manifests and items.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Aci } from '@signalapp/libsignal-client';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import mockCrypto from 'mock-server-27/src/crypto.js';
import mockProtos from 'mock-server-27/protos/compiled.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const { ManifestRecord, StorageRecord } = mockProtos.signalservice;

const pools = [];
for (let i = 0; i < 50; i += 1) {
  const pool = AccountEntropyPool.generate();
  const master = AccountEntropyPool.deriveSvrKey(pool);
  const svr = new SvrKey(master);
  const backup = AccountEntropyPool.deriveBackupKey(pool);
  const aci = Aci.fromUuidBytes(randomBytes(16));
  const storage = mockCrypto.deriveStorageKey(Buffer.from(master));
  const version = [0n, 1n, 12_345n, 2n ** 63n][i % 4];
  const id = randomBytes(16);
  const ikm = randomBytes(32);
  pools.push({
    pool, master: hex(master), mockMaster: hex(mockCrypto.deriveMasterKey(pool)),
    registrationLock: hex(svr.deriveRegistrationLock()),
    recoveryPassword: hex(svr.deriveRegistrationRecoveryPassword()),
    storage: hex(svr.deriveStorageServiceKey()), logging: hex(svr.deriveLoggingKey()),
    backup: hex(backup.serialize()), aci: aci.getServiceIdString(),
    backupId: hex(backup.deriveBackupId(aci)), backupEc: hex(backup.deriveEcKey(aci).serialize()),
    id: hex(id), ikm: hex(ikm), version: version.toString(),
    itemKey: hex(mockCrypto.deriveStorageItemKey({ storageKey: storage, key: id })),
    ikmItemKey: hex(mockCrypto.deriveStorageItemKey({ storageKey: storage, recordIkm: ikm, key: id })),
  });
}

const storageKey = randomBytes(32);
const recordIkm = randomBytes(32);
const key = randomBytes(16);
const record = { record: { contact: { givenName: 'Alice' } }, contact: { givenName: 'Alice' } };
const manifest = { version: 42n, sourceDevice: 1, identifiers: [], recordIkm };
const out = {
  pools,
  valid: [], invalid: [],
  storage: {
    storageKey: hex(storageKey), recordIkm: hex(recordIkm), key: hex(key), version: '42',
    manifest: hex(mockCrypto.encryptStorageManifest(storageKey, manifest).value),
    manifestPlain: hex(ManifestRecord.encode(manifest)),
    item: hex(mockCrypto.encryptStorageItem({ storageKey, key, record }).value),
    ikmItem: hex(mockCrypto.encryptStorageItem({ storageKey, key, recordIkm, record }).value),
    itemPlain: hex(StorageRecord.encode(record)),
  },
};
for (const text of ['', 'abc', 'm'.repeat(63), 'm'.repeat(64), 'm'.repeat(65), 'M'.repeat(64), ' '.repeat(64), `${'m'.repeat(62)}é`, '0'.repeat(64), `${'z'.repeat(63)}-`]) {
  (AccountEntropyPool.isValid(text) ? out.valid : out.invalid).push(text);
}
writeFileSync(new URL('../../vectors/accountkeys.json', import.meta.url), `${JSON.stringify(out)}\n`);
