// Writes testdata/vectors/content.json: the schema of the service's messages as mock-server 27.0.0 has them, and
// samples of each, encoded by its own compiled protobufs with every field set (each branch of a oneof and each value of
// an enum in turn). The Go test reads the samples field by field.
//
//   cd testdata/interop && node vectors/content.mjs

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { GroupMasterKey, GroupSecretParams } from '@signalapp/libsignal-client/zkgroup.js';

const require = createRequire(import.meta.url);
const path = require.resolve('mock-server-27/protos/compiled.js');
const { signalservice } = require(path);
const declarations = readFileSync(path.replace(/\.js$/, '.d.ts'), 'utf8');

const TOPS = [
  'Envelope', 'Content', 'CallMessage', 'DataMessage', 'NullMessage', 'ReceiptMessage', 'TypingMessage', 'StoryMessage',
  'Preview', 'TextAttachment', 'Verified', 'SyncMessage', 'AttachmentPointer', 'GroupContextV2', 'ContactDetails',
  'PaymentAddress', 'DecryptionErrorMessage', 'PniSignatureMessage', 'EditMessage', 'BodyRange', 'AddressableMessage',
  'ConversationIdentifier', 'StorageManifest', 'StorageItem', 'StorageItems', 'WriteOperation', 'ReadOperation',
  'ManifestRecord', 'StorageRecord', 'ContactRecord', 'GroupV1Record', 'GroupV2Record', 'Payments', 'AccountRecord',
  'StoryDistributionListRecord', 'StickerPackRecord', 'CallLinkRecord', 'Recipient', 'ChatFolderRecord',
  'NotificationProfile', 'StickerPack', 'WebSocketRequestMessage', 'WebSocketResponseMessage', 'WebSocketMessage',
  'ProvisioningAddress', 'ProvisionEnvelope', 'ProvisionMessage', 'DeviceName',
  'AvatarUploadAttributes', 'Member', 'MemberPendingProfileKey', 'MemberPendingAdminApproval', 'MemberBanned',
  'AccessControl', 'Group', 'GroupAttributeBlob', 'GroupInviteLink', 'GroupJoinInfo', 'GroupChange',
  'ExternalGroupCredential', 'GroupResponse', 'GroupChanges', 'GroupChangeResponse',
];

const KINDS = {
  33: 'uint32', 34: 'uint64', 35: 'fixed32', 36: 'fixed64', 65: 'bool', 83: 'float', 96: 'bytes', 112: 'string',
  128: 'message', 289: 'enum', 801: 'enum',
};

// The enum of each field is only in the type declarations.
function enumsOfFields() {
  const out = new Map();
  const stack = [];
  for (const line of declarations.split('\n')) {
    const open = /^export (?:namespace|enum) (\w+) \{$/.exec(line);
    if (open) stack.push(open[1]);
    else if (line === '}') stack.pop();
    else if (stack[0] === 'signalservice') {
      const message = stack.slice(1).join('.');
      for (const [, field, scope, name] of line.matchAll(/(\w+)\??: (?:Array<)?signalservice((?:\.\w+)*)\.\$Nullable(\w+)/g)) {
        out.set(`${message}.${field}`, `${scope}.${name}`.slice(1));
      }
    }
  }
  return out;
}

const fieldEnums = enumsOfFields();
const at = (name) => name.split('.').reduce((scope, part) => scope[part], signalservice);
const isEnum = (value) => Object.values(value).some((v) => typeof v === 'number');
const values = (name) => Object.entries(at(name)).filter(([, v]) => typeof v === 'number');

function schemaOf(name) {
  const source = at(name).$f.toString();
  const fields = [];
  for (const m of source.matchAll(/fields\.push\(\{\s*i: (\d+),\s*t: (\d+),\s*v: ([\s\S]*?),\s*b: \d+,?/g)) {
    const block = source.slice(Math.max(0, source.slice(0, m.index).lastIndexOf('if (data')), m.index);
    const loop = /for \(const \w+ of data\.(\w+)\)/.exec(block);
    const [, first, second] = /data\.(\w+)(?:\.(\w+))?/.exec(loop ? `data.${loop[1]}` : m[3]);
    const field = { number: +m[1], name: second ?? first, kind: KINDS[m[2]] };
    if (!field.kind) throw new Error(`${name}.${field.name}: type ${m[2]}`);
    if (second) field.oneof = first;
    if (loop || m[2] === '801') field.repeated = true;
    if (field.kind === 'message') field.type = /signalservice\.([\w.]+)\.\$f\(/.exec(m[3])[1];
    if (field.kind === 'enum') field.type = fieldEnums.get(`${name}.${field.name}`);
    if (/!== 0\)/.test(block)) field.implicit = true; // proto3: a zero is not written
    if (field.kind === 'enum' && !field.type) throw new Error(`${name}.${field.name}: no enum`);
    fields.push(field);
  }
  return fields.sort((a, b) => a.number - b.number);
}

const schema = { messages: {}, enums: {} };
function collect(name) {
  if (isEnum(at(name))) {
    schema.enums[name] = Object.fromEntries(values(name));
    return;
  }
  if (at(name).$f) schema.messages[name] = schemaOf(name);
  for (const [inner, value] of Object.entries(at(name))) {
    if (value && typeof value === 'object') collect(`${name}.${inner}`);
  }
}
TOPS.forEach(collect);
collect('ProvisioningVersion');
collect('OptionalBool');
collect('AvatarColor');

// Values are numbered, so that no two fields of a sample hold the same.
let counter = 0;
const SIZES = {
  masterKey: 32, profileKey: 32, key: 64, digest: 32, incrementalMac: 32, packId: 16, packKey: 32, clientUuid: 16,
  identityKey: 33, groupId: 32, threadGroupId: 32, pni: 16, serverGuidBinary: 16, master: 32,
};
const bytesOf = (name) => {
  const size = SIZES[name] ?? (/Binary$/.test(name) ? 16 : 8);
  counter += 1;
  return Uint8Array.from({ length: size }, (_, i) => (counter + 31 * i) & 0xff);
};
const uuid = () => {
  counter += 1;
  return `00000000-0000-4000-8000-${counter.toString(16).padStart(12, '0')}`;
};

function scalar(field, turn) {
  counter += 1;
  switch (field.kind) {
    case 'uint32': case 'fixed32': return counter;
    case 'uint64': case 'fixed64': return 1_700_000_000_000n + BigInt(counter);
    case 'bool': return true;
    case 'float': return counter / 8;
    case 'bytes': return bytesOf(field.name);
    case 'enum': return values(field.type).map(([, v]) => v)[turn % values(field.type).length];
    default:
      if (/(Aci|aci|acis|ServiceIds?|serviceId|Pni|pni)$/.test(field.name)) return uuid();
      return `${field.name} ${counter}`;
  }
}

// plain is the value as the Go test compares it: numbers of 64 bits and bytes as text.
function plain(value) {
  if (typeof value === 'bigint') return value.toString();
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value;
}

const branchList = (name, field) => schema.messages[name].filter((f) => f.oneof === field.oneof);
const branchesOf = (name, field) => (field.oneof ? branchList(name, field).length : 1);

// build returns the object to encode, and the same by field numbers.
function build(name, turn, depth) {
  const object = {}; const expected = {};
  const oneofs = new Map();
  for (const field of schema.messages[name]) {
    if (field.oneof) {
      const branches = branchList(name, field);
      if (branches[turn % branches.length] !== field) {
        if (!oneofs.has(field.oneof)) oneofs.set(field.oneof, null);
        continue;
      }
    }
    const make = () => {
      if (field.kind !== 'message') {
        const value = scalar(field, Math.floor(turn / branchesOf(name, field)));
        return [value, plain(value)];
      }
      return depth > 0 ? build(field.type, turn, depth - 1) : [emptyOf(field.type), {}];
    };
    const made = field.repeated ? [make(), make()] : [make()];
    const value = field.repeated ? made.map((m) => m[0]) : made[0][0];
    if (!(field.implicit && value === 0)) expected[field.number] = field.repeated ? made.map((m) => m[1]) : made[0][1];
    if (field.oneof) oneofs.set(field.oneof, { [field.name]: value });
    else object[field.name] = value;
  }
  for (const [oneof, value] of oneofs) object[oneof] = value;
  return [object, expected];
}

function emptyOf(name) {
  return Object.fromEntries(schema.messages[name].map((f) => [f.oneof ?? f.name, f.repeated ? [] : null]));
}

const samples = [];
function sample(name, turns, depth) {
  for (let turn = 0; turn < turns; turn += 1) {
    counter = 0;
    const [object, expected] = build(name, turn, depth);
    samples.push({ message: name, hex: Buffer.from(at(name).encode(object)).toString('hex'), fields: expected });
  }
}
function turnsOf(name) {
  return Math.max(1, ...schema.messages[name].map(
    (f) => branchesOf(name, f) * (f.kind === 'enum' ? values(f.type).length : 1),
  ));
}
for (const name of Object.keys(schema.messages)) sample(name, turnsOf(name), 1);
// A whole message of each kind, to the leaves.
sample('Content', turnsOf('Content'), 8);

// Version 15.2.0 writes service ids in their binary fields only, as the newest apps do.
const old = require('mock-server-15/protos/compiled.js').signalservice;
const aci = new Uint8Array(16).fill(0xb0);
const binaryOnly = Object.fromEntries(Object.entries({
  reaction: { dataMessage: {
    timestamp: 5, reaction: { emoji: 'x', targetAuthorAciBinary: aci, targetSentTimestamp: 4 },
  } },
  message: { dataMessage: {
    timestamp: 5, body: 'hi x', quote: { id: 4, authorAciBinary: aci, text: 'q' },
    bodyRanges: [{ start: 3, length: 1, mentionAciBinary: aci }],
    storyContext: { authorAciBinary: aci, sentTimestamp: 4 },
  } },
  sent: { syncMessage: { sent: {
    destinationServiceIdBinary: aci, timestamp: 5, message: { timestamp: 5, body: 'x' },
    unidentifiedStatus: [{ destinationServiceIdBinary: aci, unidentified: true }],
  } } },
  read: { syncMessage: { read: [{ senderAciBinary: aci, timestamp: 4 }] } },
  viewOnceOpen: { syncMessage: { viewOnceOpen: { senderAciBinary: aci, timestamp: 4 } } },
  blocked: { syncMessage: { blocked: { acisBinary: [aci] } } },
  verified: { syncMessage: { verified: { destinationAciBinary: aci, state: 1 } } },
}).map(([name, value]) => [name, Buffer.from(old.Content.encode(value).finish()).toString('hex')]));

// Group identifiers, as the official library derives them.
const groups = [0, 1, 2, 255].map((byte) => {
  const masterKey = new Uint8Array(32).fill(byte);
  const params = GroupSecretParams.deriveFromMasterKey(new GroupMasterKey(masterKey));
  return {
    masterKey: Buffer.from(masterKey).toString('hex'),
    id: Buffer.from(params.getPublicParams().getGroupIdentifier().serialize()).toString('hex'),
  };
});

const out = new URL('../../vectors/content.json', import.meta.url);
writeFileSync(out, `${JSON.stringify({ generator: 'mock-server 27.0.0', schema, groups, binaryOnly, samples }, null, 0)
  .replaceAll('{"message"', '\n{"message"')}\n`);
console.log(`${samples.length} samples of ${Object.keys(schema.messages).length} messages`);
