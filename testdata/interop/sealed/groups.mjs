// What the official library does with sender keys. Nothing is kept: a record comes with each request, serialised, and
// goes back with the answer. Everything in and out is hexadecimal.
import {
  ProtocolAddress, SenderKeyDistributionMessage, SenderKeyRecord, SenderKeyStore, groupDecrypt, groupEncrypt,
  processSenderKeyDistributionMessage,
} from '@signalapp/libsignal-client';
import { hex, unhex } from '../official/lines.mjs';

const sender = ProtocolAddress.new('9d0652a3-dcc3-4d11-975f-74d61598733f', 3);

// Holds one record, whatever the sender and the distribution id.
class Keys extends SenderKeyStore {
  constructor(record) { super(); this.record = record; }
  async saveSenderKey(_, __, record) { this.record = hex(record.serialize()); }
  async getSenderKey() { return this.record ? SenderKeyRecord.deserialize(unhex(this.record)) : null; }
}

export async function distribute({ record, distribution }) {
  const keys = new Keys(record);
  const message = await SenderKeyDistributionMessage.create(sender, distribution, keys);
  return { message: hex(message.serialize()), record: keys.record };
}

export async function process({ record, message }) {
  const keys = new Keys(record);
  const distribution = SenderKeyDistributionMessage.deserialize(unhex(message));
  await processSenderKeyDistributionMessage(sender, distribution, keys);
  return {
    record: keys.record, distribution: distribution.distributionId(), chainId: distribution.chainId(),
    iteration: distribution.iteration(),
  };
}

export async function encrypt({ record, distribution, plaintext }) {
  const keys = new Keys(record);
  const message = await groupEncrypt(sender, distribution, keys, unhex(plaintext));
  return { message: hex(message.serialize()), record: keys.record };
}

// Gives the plaintext, or what kind of error it was; the record comes back either way.
export async function decrypt({ record, message }) {
  const keys = new Keys(record);
  try {
    const plaintext = await groupDecrypt(sender, keys, unhex(message));
    return { ok: true, plaintext: hex(plaintext), record: keys.record };
  } catch (error) {
    return { ok: false, error: kindOf(error), record: keys.record };
  }
}

function kindOf(error) {
  const text = String(error.message ?? error);
  if (/old counter/.test(text)) return 'duplicate';
  if (/missing sender key state/.test(text)) return 'no key';
  if (/signature/.test(text)) return 'signature';
  if (/too far into the future/.test(text)) return 'too far';
  if (/decryption failed/.test(text)) return 'invalid';
  if (/protobuf|version|too short/.test(text)) return 'malformed';
  return text;
}

export const operations = {
  groupDistribute: distribute, groupProcess: process, groupEncrypt: encrypt, groupDecrypt: decrypt,
};
