// What the official library does with sealed messages, for the vectors and for the live tests. Everything in and out
// is hexadecimal.
import {
  Aci, CiphertextMessageType, IdentityChange, IdentityKeyStore, KEMKeyPair, PreKeyBundle, PrivateKey, ProtocolAddress, PublicKey,
  SenderCertificate, ServiceId, SessionStore, UnidentifiedSenderMessageContent, processPreKeyBundle,
  sealedSenderDecryptToUsmc, sealedSenderEncrypt, sealedSenderMultiRecipientEncrypt,
} from '@signalapp/libsignal-client';
import SealedSenderMultiRecipientMessage from
  '@signalapp/libsignal-client/dist/SealedSenderMultiRecipientMessage.js';
import { hex, unhex } from '../official/lines.mjs';

class Identities extends IdentityKeyStore {
  known = new Map();
  constructor(key) { super(); this.key = key; }
  async getIdentityKey() { return this.key; }
  async getLocalRegistrationId() { return 1; }
  async saveIdentity(name, key) { this.known.set(name.toString(), key); return IdentityChange.NewOrUnchanged; }
  async isTrustedIdentity() { return true; }
  async getIdentity(name) { return this.known.get(name.toString()) ?? null; }
}

class Sessions extends SessionStore {
  known = new Map();
  async saveSession(name, record) { this.known.set(name.toString(), record); }
  async getSession(name) { return this.known.get(name.toString()) ?? null; }
  async getExistingSessions(names) { return names.map((name) => this.known.get(name.toString())); }
}

// Bytes fields and small varint fields by hand: the content's encoding is a fact to test, not to import.
function varint(n) {
  const out = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128);
  return Buffer.from([...out, n]);
}
export const bytesField = (tag, bytes) => Buffer.concat([varint((tag << 3) | 2), varint(bytes.length), bytes]);
export const varintField = (tag, n) => Buffer.concat([varint(tag << 3), varint(n)]);

export function encodeContent({ type, certificate, message, hint, group }) {
  return UnidentifiedSenderMessageContent.deserialize(Buffer.concat([
    varintField(1, type), bytesField(2, unhex(certificate)), bytesField(3, unhex(message)),
    hint ? varintField(4, hint) : Buffer.alloc(0),
    group ? bytesField(5, unhex(group)) : Buffer.alloc(0),
  ]));
}

export async function seal({ identity, recipient, ...content }) {
  const store = new Identities(PrivateKey.deserialize(unhex(identity)));
  const address = ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 1);
  await store.saveIdentity(address, PublicKey.deserialize(unhex(recipient)));
  return { sealed: hex(await sealedSenderEncrypt(encodeContent(content), address, store)) };
}

export async function open({ identity, sealed }) {
  const content = await sealedSenderDecryptToUsmc(unhex(sealed), new Identities(PrivateKey.deserialize(unhex(identity))));
  return {
    type: content.msgType() === CiphertextMessageType.PreKey ? 1 : content.msgType(), certificate: hex(content.senderCertificate().serialize()),
    message: hex(content.contents()), hint: content.contentHint(), group: hex(content.groupId() ?? []),
  };
}

// Opens a session with every device of the recipients, and gives their addresses.
async function openSessions(recipients, sessions, identities) {
  const local = ProtocolAddress.new('4fb3a6f1-9b5c-4a9e-8a8b-6a2a53b4c4a5', 1);
  const addresses = [];
  for (const { serviceId, identityPrivate, devices } of recipients) {
    const key = PrivateKey.deserialize(unhex(identityPrivate));
    for (const { id, registrationId } of devices) {
      const address = ProtocolAddress.new(serviceId, id);
      const signed = PrivateKey.generate().getPublicKey();
      const kyber = KEMKeyPair.generate().getPublicKey();
      const bundle = PreKeyBundle.new(registrationId, id, null, null, 1, signed, key.sign(signed.serialize()),
        key.getPublicKey(), 1, kyber, key.sign(kyber.serialize()));
      await processPreKeyBundle(bundle, address, local, sessions, identities);
      addresses.push(address);
    }
  }
  return addresses;
}

// Seals for several accounts with several devices each, by way of sessions, and cuts the result as the service does.
// With rounds it does so that many times and gives the microseconds that each took.
export async function sealMulti({ identity, recipients, excluded, rounds, ...content }) {
  const identityStore = new Identities(PrivateKey.deserialize(unhex(identity)));
  const sessionStore = new Sessions();
  const options = {
    content: encodeContent(content), recipients: await openSessions(recipients, sessionStore, identityStore),
    identityStore, sessionStore, excludedRecipients: excluded.map((id) => ServiceId.parseFromServiceIdString(id)),
  };
  const sent = await sealedSenderMultiRecipientEncrypt(options);
  if (!rounds) return split({ sent: hex(sent) });
  const began = performance.now();
  for (let i = 0; i < rounds; i += 1) await sealedSenderMultiRecipientEncrypt(options);
  return { microseconds: 1000 * (performance.now() - began) / rounds };
}

export function split({ sent }) {
  const message = new SealedSenderMultiRecipientMessage(unhex(sent));
  const recipients = Object.entries(message.recipientsByServiceIdString()).map(([serviceId, recipient]) => ({
    serviceId, deviceIds: recipient.deviceIds, registrationIds: recipient.registrationIds,
    received: hex(message.messageForRecipient(recipient)),
  }));
  return { sent, recipients, excluded: [...message.excludedRecipientServiceIdStrings()] };
}

export function certificate({ certificate: serialized, trustRoots, time }) {
  const parsed = SenderCertificate.deserialize(unhex(serialized));
  return {
    valid: parsed.validateWithTrustRoots(trustRoots.map((root) => PublicKey.deserialize(unhex(root))), time),
    sender: parsed.senderUuid(), device: parsed.senderDeviceId(), e164: parsed.senderE164() ?? '',
    key: hex(parsed.key().serialize()), expires: parsed.expiration(),
    serverId: parsed.serverCertificate().keyId(), serverKey: hex(parsed.serverCertificate().key().serialize()),
  };
}

export const aciOf = (bytes) => Aci.fromUuidBytes(bytes).getServiceIdString();
