// Writes testdata/vectors/provisioning.json: provisioning envelopes of the mock server, and device names encrypted as
// Signal-Desktop's ts/Crypto.node.ts (encryptDeviceName) does, over the official library's agreement.
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PrivateKey } from '@signalapp/libsignal-client';
import mockCrypto from 'mock-server-27/src/crypto.js';
import mockProtos from 'mock-server-27/protos/compiled.js';

// The mock server brings an official library of its own, whose key objects alone it takes.
const fromMock = createRequire(createRequire(import.meta.url).resolve('mock-server-27'));
const { PublicKey: MockPublicKey } = await import(fromMock.resolve('@signalapp/libsignal-client'));

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

const provisioning = [];
for (let i = 0; i < 20; i += 1) {
  const device = PrivateKey.generate();
  const identity = PrivateKey.generate();
  const number = `+1555${String(i).padStart(7, '0')}`;
  const code = 'x'.repeat(i * 3);
  // Fields 2 (identity private key), 3 (number) and 4 (code), encoded by hand: what is in the message is not the point.
  const field = (tag, bytes) => Buffer.concat([Buffer.from([(tag << 3) | 2, bytes.length]), bytes]);
  const message = Buffer.concat([
    field(2, Buffer.from(identity.serialize())), field(3, Buffer.from(number)), field(4, Buffer.from(code)),
  ]);
  const { body, ephemeralKey } = mockCrypto.encryptProvisionMessage(
    message, MockPublicKey.deserialize(device.getPublicKey().serialize()),
  );
  provisioning.push({
    device: hex(device.serialize()), identity: hex(identity.serialize()), number, code,
    body: hex(body), publicKey: hex(ephemeralKey),
  });
}

const { DeviceName } = mockProtos.signalservice;
const encodeName = (name) => DeviceName
  ? DeviceName.encode(name)
  : Buffer.concat([[1, name.ephemeralPublic], [2, name.syntheticIv], [3, name.ciphertext]]
    .map(([tag, bytes]) => Buffer.concat([Buffer.from([(tag << 3) | 2, bytes.length]), bytes])));

const names = ['', 'x', 'signalbox on the kiosk', 'Büro 🖥', 'n'.repeat(50)].map((name) => {
  const identity = PrivateKey.generate();
  const ephemeral = PrivateKey.generate();
  const secret = ephemeral.agree(identity.getPublicKey());
  const syntheticIv = hmac(hmac(secret, 'auth'), name).subarray(0, 16);
  const key = hmac(hmac(secret, 'cipher'), syntheticIv);
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const ciphertext = Buffer.concat([cipher.update(name), cipher.final()]);
  return {
    name, identity: hex(identity.serialize()),
    encrypted: hex(encodeName({
      ephemeralPublic: Buffer.from(ephemeral.getPublicKey().serialize()), syntheticIv, ciphertext,
    })),
  };
});
writeFileSync(new URL('../../vectors/provisioning.json', import.meta.url),
  `${JSON.stringify({ provisioning, names })}\n`);
