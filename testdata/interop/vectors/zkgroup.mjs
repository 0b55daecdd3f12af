// Writes testdata/vectors/zkgroup.json: what the official library makes, with explicit randomness, of groups' keys and
// what they encrypt, credentials, presentations and endorsements.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { hex } from '../official/lines.mjs';
import { ask, operations as official } from '../zkgroup/official.mjs';

const random = () => hex(randomBytes(32));
const aci = () => randomUUID();
const pni = () => `PNI:${randomUUID()}`;
const day = 86_400;
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

function vector(op, request) {
  return { ...request, ...official[op](request) };
}

// A key whose M4 is made of the element 0, which all but three bits of it may be, does not decrypt.
function accepts(op, request) {
  return ask({ op, ...request }).error === undefined;
}

const generated = times(4, () => vector('generateGroup', { random: random() }));
const masters = [...generated.map((each) => each.master), '00'.repeat(32), 'ff'.repeat(32)];
const zeros = '00'.repeat(30);
const keys = [`${zeros}0000`, 'ff'.repeat(32), `01${zeros}c0`, `00${zeros}40`, `00${zeros}80`];
const groups = masters.map((master) => ({
  ...vector('group', { master }),
  users: [...times(3, aci), ...times(3, pni)].map((id) => vector('encryptServiceId', { master, id })),
  profileKeys: [...keys, ...times(4, random)].map((key) => {
    const encrypted = vector('encryptProfileKey', { master, key, aci: aci() });
    return { ...encrypted, decrypts: accepts('decryptProfileKey', encrypted) };
  }),
  blobs: [0, 1, 11, 15, 16, 17, 300].map((length, i) =>
    vector('encryptBlob',
      { master, random: random(), plaintext: hex(randomBytes(length)), padding: [0, 8, 100][i % 3] })),
}));
const commitments = [...keys, ...times(5, random)].map((key) => vector('commitment', { key, aci: aci() }));

function authOf({ secret, public: open }, withPni) {
  const other = withPni ? { pni: pni() } : { salt: random() };
  const account = { aci: aci(), time: day * randomInt(19_000, 25_000), ...other };
  const master = random();
  const ending = withPni ? '' : 'WithoutPni';
  const issued = vector(`issueAuth${ending}`, { secret, random: random(), ...account });
  const { credential } = official[`receiveAuth${ending}`]({ ...issued, public: open });
  const presented = vector('presentAuth', { public: open, random: random(), master, credential });
  const seen = official.verifyAuth({
    secret, group: official.group({ master }).public, presentation: presented.presentation, now: account.time,
  });
  return {
    ...account, master, credential, issueRandom: issued.random, response: issued.response,
    presentRandom: presented.random, presentation: presented.presentation,
    aciCiphertext: seen.aci, pniCiphertext: seen.pni,
  };
}

function profileOf({ secret, public: open }) {
  const account = { aci: aci(), key: random() };
  const expires = day * randomInt(19_000, 25_000);
  const now = expires - randomInt(1, 7) * day;
  const master = random();
  const requested = vector('requestProfile', { public: open, random: random(), ...account });
  const { commitment } = official.commitment(account);
  const { context, request } = requested;
  const issued = vector('issueProfile', { secret, random: random(), request, aci: account.aci, commitment, expires });
  const { response } = issued;
  const { credential } = official.receiveProfile({ public: open, context, response, now });
  const presented = vector('presentProfile', { public: open, random: random(), master, credential });
  const { presentation } = presented;
  official.verifyProfile({ secret, group: official.group({ master }).public, presentation, now });
  return {
    ...account, expires, now, master, commitment, requestRandom: requested.random, context, request,
    issueRandom: issued.random, response, credential, presentRandom: presented.random, presentation,
    ...official.presentationCiphertexts({ presentation }),
  };
}

function endorsementsOf({ secret, public: open }, count) {
  const members = times(count, (i) => (i % 5 === 4 ? pni() : aci()));
  const [self] = members;
  const expires = day * randomInt(19_000, 25_000);
  const now = expires - day;
  const master = random();
  const { key } = official.endorsementKey({ secret, expires });
  const ciphertexts = members.map((id) => official.encryptServiceId({ master, id }).encrypted);
  const issued = vector('issueEndorsements', { key, random: random(), members: ciphertexts });
  const { response } = issued;
  const received = official.receiveEndorsements({ public: open, master, response, members, self, now });
  const tokens = received.members.map((endorsement) => official.token({ endorsement, master, expires }).token);
  const { token } = official.token({ endorsement: received.combined, master, expires });
  return {
    master, members, self, expires, now, key, random: issued.random, response,
    endorsements: received.members, combined: received.combined, tokens, token,
  };
}

// Presentations of the versions that are no more made. The library still reads their ciphertexts.
function oldPresentations({ presentation }) {
  const base = 'e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76';
  const proof = `4001000000000000${'00'.repeat(320)}`;
  const ciphertexts = presentation.slice(-(2 * (128 + 8)), -16);
  const rest = `${base.repeat(8)}${proof}${ciphertexts}`;
  return [`00${rest}`, `01${rest}`, `02${presentation.slice(2)}`]
    .map((each) => vector('presentationCiphertexts', { presentation: each }));
}

const servers = times(2, () => {
  const server = vector('generateServer', { random: random() });
  const profiles = times(5, () => profileOf(server));
  return {
    ...server,
    signatures: [0, 1, 32, 500].map((length) =>
      vector('sign', { secret: server.secret, random: random(), message: hex(randomBytes(length)) }))
      .map(({ secret: _, ...each }) => each),
    auth: times(4, () => authOf(server, true)), authWithoutPni: times(3, () => authOf(server, false)),
    profiles, old: oldPresentations(profiles[0]),
    endorsements: [1, 2, 3, 10, 40].map((count) => endorsementsOf(server, count)),
  };
});
writeFileSync(new URL('../../vectors/zkgroup.json', import.meta.url),
  `${JSON.stringify({ generated, groups, commitments, servers })}\n`);
