// Writes testdata/vectors/fingerprint.json: the official library's safety numbers of version 2, over service ids.
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Aci, Fingerprint, PrivateKey, ScannableFingerprint } from '@signalapp/libsignal-client';

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const party = () => ({ aci: Aci.fromUuidBytes(randomBytes(16)), key: PrivateKey.generate().getPublicKey() });
const make = (local, remote, version) => Fingerprint.new(5200, version,
  Buffer.from(local.aci.getServiceIdBinary()), local.key, Buffer.from(remote.aci.getServiceIdBinary()), remote.key);

const cases = [];
for (let i = 0; i < 20; i += 1) {
  const [local, remote] = [party(), party()];
  const ours = make(local, remote, 2);
  const theirs = make(remote, local, 2);
  const stranger = make(party(), local, 2);
  const scan = (other) => ours.scannableFingerprint().compare(
    ScannableFingerprint._fromBuffer(other.scannableFingerprint().toBuffer()));
  if (!scan(theirs) || scan(stranger)) throw new Error('unexpected comparison');
  cases.push({
    local: local.aci.getServiceIdString(), localKey: hex(local.key.serialize()),
    remote: remote.aci.getServiceIdString(), remoteKey: hex(remote.key.serialize()),
    digits: ours.displayableFingerprint().toString(), scannable: hex(ours.scannableFingerprint().toBuffer()),
    theirs: hex(theirs.scannableFingerprint().toBuffer()), stranger: hex(stranger.scannableFingerprint().toBuffer()),
    version1: hex(make(remote, local, 1).scannableFingerprint().toBuffer()),
  });
}
writeFileSync(new URL('../../vectors/fingerprint.json', import.meta.url), `${JSON.stringify(cases)}\n`);
