// Writes testdata/vectors/accountkeys.json: the official library's derivations from entropy pools, and the mock
// server's of the same keys.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Aci } from '@signalapp/libsignal-client';
import { AccountEntropyPool, SvrKey } from '@signalapp/libsignal-client/dist/AccountKeys.js';
import mockCrypto from 'mock-server-27/src/crypto.js';

const hex = (bytes) => Buffer.from(bytes).toString('hex');

const pools = [];
for (let i = 0; i < 50; i += 1) {
  const pool = AccountEntropyPool.generate();
  const master = AccountEntropyPool.deriveSvrKey(pool);
  const svr = new SvrKey(master);
  const backup = AccountEntropyPool.deriveBackupKey(pool);
  const aci = Aci.fromUuidBytes(randomBytes(16));
  pools.push({
    pool, master: hex(master), mockMaster: hex(mockCrypto.deriveMasterKey(pool)),
    registrationLock: hex(svr.deriveRegistrationLock()),
    recoveryPassword: hex(svr.deriveRegistrationRecoveryPassword()),
    storage: hex(svr.deriveStorageServiceKey()),
    mockStorage: hex(mockCrypto.deriveStorageKey(Buffer.from(master))), logging: hex(svr.deriveLoggingKey()),
    backup: hex(backup.serialize()), aci: aci.getServiceIdString(),
    backupId: hex(backup.deriveBackupId(aci)), backupEc: hex(backup.deriveEcKey(aci).serialize()),
  });
}

const out = { pools, valid: [], invalid: [] };
for (const text of ['', 'abc', 'm'.repeat(63), 'm'.repeat(64), 'm'.repeat(65), 'M'.repeat(64), ' '.repeat(64), `${'m'.repeat(62)}é`, '0'.repeat(64), `${'z'.repeat(63)}-`]) {
  (AccountEntropyPool.isValid(text) ? out.valid : out.invalid).push(text);
}
writeFileSync(new URL('../../vectors/accountkeys.json', import.meta.url), `${JSON.stringify(out)}\n`);
