// Writes testdata/vectors/zkcredential.json: what the official library makes, with explicit randomness, of credentials for
// call links and for backups, in both modes.
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { hex } from '../official/lines.mjs';
import { operations as official } from '../zkcredential/official.mjs';

const random = (n = 32) => hex(randomBytes(n));
const time = () => 86_400 * randomInt(19_000, 25_000);
const times = (n, make) => Array.from({ length: n }, (_, i) => make(i));

function vector(op, request) {
  return { ...request, ...official[op](request) };
}

// What both ends do for one credential, with the randomness of each step.
function course(kind, server, account, request) {
  const { secret, public: open } = server;
  const issued = vector(`issue${kind}`, { secret, random: random(), ...account, ...request });
  const { credential } = official[`receive${kind}`]({ ...issued, ...request, public: open });
  const presented = vector(`present${kind}`, { public: open, random: random(), ...account, credential });
  official[`verify${kind}`]({ secret, ...account, presentation: presented.presentation, now: account.time });
  return {
    ...account, ...request, issueRandom: issued.random, response: issued.response, credential,
    presentRandom: presented.random, presentation: presented.presentation,
  };
}

function create(server) {
  const account = { aci: randomUUID(), time: time(), root: random(16), room: random() };
  const requested = vector('requestCreate', { room: account.room, random: random() });
  return {
    requestRandom: requested.random, ...course('Create', server, account, { context: requested.context, request: requested.request }),
  };
}

function backup(server) {
  const account = { aci: randomUUID(), key: random(), time: time(), level: 200 + randomInt(2), type: 1 + randomInt(2) };
  return course('Backup', server, account, official.requestBackup(account));
}

const servers = [0, 1, 0, 1].map((mode) => {
  const server = vector('generate', { random: random(), mode });
  return {
    ...server,
    auth: times(3, () => {
      const account = { aci: randomUUID(), time: time(), root: random(16) };
      return { ...official.link(account), ...course('Auth', server, account, {}) };
    }),
    create: times(3, () => create(server)),
    backup: times(3, () => backup(server)),
  };
});
writeFileSync(new URL('../../vectors/zkcredential.json', import.meta.url), `${JSON.stringify({ servers })}\n`);
