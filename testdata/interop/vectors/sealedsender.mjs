// Writes testdata/vectors/sealedsender.json: what the official library seals, and certificates with its verdict on them.
import { randomBytes, randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { Pni, PrivateKey, SenderCertificate, ServerCertificate } from '@signalapp/libsignal-client';
import { hex } from '../official/lines.mjs';
import { aciOf, bytesField, certificate, seal, sealMulti, varintField } from '../sealed/official.mjs';

const newRoot = () => PrivateKey.generate();
const root = newRoot();
const serverKey = PrivateKey.generate();
const server = ServerCertificate.new(7, serverKey.getPublicKey(), root);
const expires = 1_900_000_000_000;

function sender() {
  const identity = PrivateKey.generate();
  const e164 = randomInt(2) ? '+15550001111' : null;
  return {
    identity,
    certificate: SenderCertificate.new(aciOf(randomBytes(16)), e164, randomInt(1, 128), identity.getPublicKey(),
      expires, server, serverKey),
  };
}

function content(from, i) {
  return {
    type: [1, 2, 7, 8][i % 4], certificate: hex(from.certificate.serialize()),
    message: hex(randomBytes([0, 1, 100, 700][(i >> 2) % 4] + (i % 3))),
    hint: [0, 1, 2, 9][(i >> 1) % 4], group: i % 5 === 0 ? hex(randomBytes(32)) : '',
  };
}

const v1 = [];
for (let i = 0; i < 32; i += 1) {
  const from = sender();
  const to = PrivateKey.generate();
  const parts = content(from, i);
  const { sealed } = await seal({
    identity: hex(from.identity.serialize()), recipient: hex(to.getPublicKey().serialize()), ...parts,
  });
  v1.push({ ...parts, identity: hex(to.serialize()), sealed });
}

const v2 = [];
for (let i = 0; i < 12; i += 1) {
  const from = sender();
  const recipients = Array.from({ length: 1 + (i % 4) }, (_, at) => ({
    serviceId: at % 3 === 2 ? Pni.fromUuidBytes(randomBytes(16)).getServiceIdString() : aciOf(randomBytes(16)),
    identityPrivate: hex(PrivateKey.generate().serialize()),
    devices: Array.from({ length: 1 + (at % 3) }, (__, n) => ({ id: n + 1, registrationId: randomInt(1, 16_380) })),
  }));
  const parts = content(from, i);
  const { recipients: cut } = await sealMulti({
    identity: hex(from.identity.serialize()), recipients, excluded: [aciOf(randomBytes(16))], ...parts,
  });
  v2.push({
    ...parts,
    recipients: recipients.map((r) => ({
      identity: r.identityPrivate, sealed: cut.find((c) => c.serviceId === r.serviceId).received,
    })),
  });
}

// Certificates. Those that the library's constructor does not make are encoded here and signed with its keys.
const certificates = [];
function judge(name, serialized, trustRoots, time) {
  const input = { certificate: hex(serialized), trustRoots: trustRoots.map((key) => hex(key.getPublicKey().serialize())), time };
  certificates.push({ name, ...input, ...certificate(input) });
}
function custom(fields, key) {
  const inner = Buffer.concat(fields);
  return Buffer.concat([bytesField(1, inner), bytesField(2, Buffer.from(key.sign(inner)))]);
}
const fixed64 = (tag, n) => {
  const out = Buffer.alloc(9);
  out[0] = (tag << 3) | 1;
  out.writeBigUInt64LE(BigInt(n), 1);
  return out;
};
const good = sender().certificate.serialize();
judge('good', good, [root], expires - 1);
judge('good until the very last millisecond', good, [root], expires);
judge('expired', good, [root], expires + 1);
judge('one of several roots', good, [newRoot(), root, newRoot()], 5);
judge('another root', good, [newRoot()], 5);
judge('no roots', good, [], 5);
const revoked = ServerCertificate.new(0xdeadc357, serverKey.getPublicKey(), root);
judge('revoked', SenderCertificate.new(aciOf(randomBytes(16)), null, 1, newRoot().getPublicKey(), expires, revoked, serverKey).serialize(), [root], 5);
judge('signed by another server', SenderCertificate.new(aciOf(randomBytes(16)), null, 1, newRoot().getPublicKey(), expires, server, newRoot()).serialize(), [root], 5);
const testServerKey = PrivateKey.deserialize(Buffer.alloc(32, 0xff));
const testRoot = PrivateKey.deserialize(Buffer.alloc(32, 0));
const identityField = bytesField(4, Buffer.from(PrivateKey.generate().getPublicKey().serialize()));
const common = [varintField(2, 3), fixed64(3, expires), identityField];
judge('server certificate by id, uuid as bytes',
  custom([...common, bytesField(7, randomBytes(16)), varintField(8, 0x7357c357)], testServerKey), [testRoot], 5);
judge('server certificate by id, another root',
  custom([...common, bytesField(6, Buffer.from(aciOf(randomBytes(16)))), varintField(8, 0x7357c357)], testServerKey), [root], 5);
judge('server certificate by id, not its signature',
  custom([...common, bytesField(7, randomBytes(16)), varintField(8, 3)], testServerKey), [testRoot, root], 5);
judge('unknown field',
  custom([...common, bytesField(7, randomBytes(16)), bytesField(5, Buffer.from(server.serialize())), bytesField(999, Buffer.from('x'))], serverKey), [root], 5);
judge('tampered', (() => {
  const changed = Buffer.from(good);
  changed[changed.length - 1] ^= 1;
  return changed;
})(), [root], 5);

writeFileSync(new URL('../../vectors/sealedsender.json', import.meta.url),
  `${JSON.stringify({ v1, v2, certificates })}\n`);
