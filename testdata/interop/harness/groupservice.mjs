// The storage service's side of groups, as signalapp/storage-service (controllers/GroupsController) has it, in place of
// the mock's: that one knows six of the actions, serves a group to anyone who asks, and has no links, bans, avatars or
// pages of its log. The zero-knowledge part is the official library's, with the mock's own secret.
import crypto from 'node:crypto';
import { Aci } from '@signalapp/libsignal-client';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { applyActions, hex, proto, Refusal, User, validateNew } from './grouprules.mjs';

const { AccessRequired } = proto.AccessControl;
const logPage = 64;
const sixHours = 6 * 60 * 60;
const day = 24 * 60 * 60;
const now = () => Math.floor(Date.now() / 1000);
const fromBase64 = (text) => Buffer.from(text.replaceAll('-', '+').replaceAll('_', '/'), 'base64');
const urlSafe = (bytes) => Buffer.from(bytes).toString('base64url');

/** A group as the service keeps it: its states and changes, by revision. */
class StoredGroup {
  log = [];

  constructor(state, change) {
    this.publicKey = state.publicKey;
    this.log.push({ state, change });
  }

  get state() {
    return this.log.at(-1).state;
  }
}

export class GroupService {
  groups = new Map(); // public params in hex → StoredGroup
  avatars = new Map(); // CDN key → bytes
  interposed = []; // changes that come in just before somebody else's
  forged = new Map(); // what the service falsifies → how often still

  constructor(secretParams) {
    this.secret = new zk.ServerSecretParams(secretParams);
    this.authOps = new zk.ServerZkAuthOperations(this.secret);
    this.profileOps = new zk.ServerZkProfileOperations(this.secret);
  }

  get publicParams() {
    return this.secret.getPublicParams();
  }

  find(publicKey) {
    const group = this.groups.get(hex(publicKey));
    if (!group) throw new Refusal(404, 'no such group');
    return group;
  }

  create(user, state) {
    const validated = validateNew(state, user, this.profileOps);
    if (this.groups.has(hex(validated.publicKey))) throw new Refusal(409, 'there is such a group');
    const actions = proto.GroupChange.Actions.encode({ version: 0, sourceUserId: user.memberOf(validated).userId });
    this.groups.set(hex(validated.publicKey),
      new StoredGroup(validated, { actions, serverSignature: null, changeEpoch: 0 }));
    return validated;
  }

  /** Applies actions; answers the signed change. */
  modify(user, publicKey, actions, password) {
    const group = this.find(publicKey);
    const applied = applyActions({ before: group.state, actions, user, password, profileOps: this.profileOps });
    const bytes = proto.GroupChange.Actions.encode(applied.actions);
    const change = { actions: bytes, serverSignature: this.secret.sign(Buffer.from(bytes)).serialize(),
      changeEpoch: applied.epoch };
    group.log.push({ state: applied.after, change });
    return change;
  }

  // What members of the harness do: MemberGroup's side, as RemoteGroups has it for a service elsewhere.

  stateOf = (group) => this.find(group.publicKey).state;
  createGroup = (group, creator, state) => this.create(group.userOf(creator), state);
  change = (group, editor, actions, password) =>
    this.modify(group.userOf(editor), group.publicKey, actions, password);

  /** Of a credential of the account's profile key that is issued and received here. */
  presentation(group, account) {
    const aci = Aci.parseFromServiceIdString(account.aci);
    const key = new zk.ProfileKey(account.profileKey);
    const ops = new zk.ClientZkProfileOperations(this.publicParams);
    const context = ops.createProfileKeyCredentialRequestContext(aci, key);
    const response = this.profileOps.issueExpiringProfileKeyCredential(context.getRequest(), aci,
      key.getCommitment(aci), now() - (now() % day) + 7 * day);
    return ops.createExpiringProfileKeyCredentialPresentation(group.secret,
      ops.receiveExpiringProfileKeyCredential(context, response)).serialize();
  }

  endorsements(group, account) {
    const state = this.stateOf(group);
    return { state, bytes: this.#endorse(group.userOf(account), state) };
  }

  putAvatar(group, editor, bytes) {
    const parts = [Buffer.from(group.id, 'base64'), crypto.randomBytes(16)].map(urlSafe);
    const key = ['groups', ...parts].join('/');
    this.avatars.set(key, bytes);
    return key;
  }

  avatar = (key) => this.avatars.get(key);

  /** Endorsements for all members, for one of them. */
  #endorse(user, state) {
    if (!user.memberOf(state)) return null;
    const expiration = new Date((now() - (now() % day) + 2 * day) * 1000);
    const key = zk.GroupSendDerivedKeyPair.forExpiration(expiration, this.secret);
    const members = state.members.map(({ userId }) => new zk.UuidCiphertext(Buffer.from(userId)));
    const response = zk.GroupSendEndorsementsResponse.issue(members, key).serialize();
    return this.forge('endorsements') ? flip(response) : response;
  }

  /** Whether a Group-Send-Token is one for exactly these service ids. */
  verifyToken(serviceIds, base64) {
    if (this.forge('token')) return false;
    try {
      const token = new zk.GroupSendFullToken(Buffer.from(base64, 'base64'));
      const key = zk.GroupSendDerivedKeyPair.forExpiration(token.getExpiration(), this.secret);
      token.verify(serviceIds, key);
      return true;
    } catch {
      return false;
    }
  }

  /** Says whether to falsify this one, and counts it. */
  forge(what) {
    const left = this.forged.get(what) ?? 0;
    if (left === 0) return false;
    this.forged.set(what, left - 1);
    return true;
  }

  handles(method, url) {
    return url.startsWith('/storageService/v2/groups') || (method === 'POST' && url === '/')
      || (method === 'GET' && url.startsWith('/groups/'));
  }

  async serve(req, res) {
    const answer = (status, headers, body) => {
      res.writeHead(status, { 'content-length': body.length, ...headers });
      res.end(body);
    };
    try {
      const url = new URL(req.url, 'http://localhost');
      const { status = 200, headers = {}, body = Buffer.alloc(0) } = await this.#route(req, url);
      answer(status, { 'content-type': 'application/x-protobuf', ...headers }, Buffer.from(body));
    } catch (error) {
      if (!(error instanceof Refusal)) console.error('harness: groups:', error);
      answer(error.status ?? 500, error.headers ?? {}, Buffer.from(''));
    }
  }

  async #route(req, url) {
    if (req.method === 'POST') return this.#storeAvatar(req);
    if (url.pathname.startsWith('/groups/')) return this.#servedAvatar(url.pathname.slice(1));
    const auth = this.#authenticate(req);
    const [, , , , what, ...rest] = url.pathname.split('/');
    const route = `${req.method} ${what ?? ''}`.trim();
    switch (route) {
      case 'PUT': return this.#create(auth, await body(req));
      case 'PATCH': return this.#modify(auth, await body(req), url.searchParams.get('inviteLinkPassword'));
      case 'GET': return this.#get(auth);
      case 'GET logs': return this.#logs(auth, Number(rest[0]), url.searchParams, req.headers);
      case 'GET joined_at_version': return this.#joinedAt(auth);
      case 'GET join': return this.#joinInfo(auth, rest[0] ?? '');
      case 'GET avatar': return this.#avatarForm(auth);
      case 'GET token': return this.#token(auth);
      default: throw new Refusal(404, `no route ${route}`);
    }
  }

  // Basic auth: the group's public parameters and the presentation of today's credential, both in hex.
  #authenticate(req) {
    const match = /^basic\s+(.*)$/i.exec(req.headers.authorization ?? '');
    const [publicKey, presentation] = Buffer.from(match?.[1] ?? '', 'base64').toString().split(':')
      .map((text) => Buffer.from(text, 'hex'));
    try {
      const presented = new zk.AuthCredentialPresentation(presentation);
      this.authOps.verifyAuthCredentialPresentation(new zk.GroupPublicParams(publicKey), presented);
      const user = new User(presented.getUuidCiphertext().serialize(), presented.getPniCiphertext().serialize());
      return { publicKey, user };
    } catch (error) {
      throw new Refusal(401, `credential: ${error.message}`);
    }
  }

  #create({ user, publicKey }, bytes) {
    const state = decode(proto.Group, bytes);
    if (hex(state.publicKey) !== hex(publicKey)) throw new Refusal(403, 'another group\'s key');
    const group = this.create(user, state);
    return { body: proto.GroupResponse.encode({ group,
      groupSendEndorsementsResponse: this.#endorse(user, group) }) };
  }

  async #modify({ user, publicKey }, bytes, password) {
    const actions = decode(proto.GroupChange.Actions, bytes);
    await this.interposed.shift()?.();
    try {
      const groupChange = this.modify(user, publicKey, actions, password ? fromBase64(password) : undefined);
      const { state } = this.find(publicKey);
      return { body: proto.GroupChangeResponse.encode({ groupChange: this.#forgeChange(groupChange),
        groupSendEndorsementsResponse: this.#endorse(user, state) }) };
    } catch (error) {
      if (error.status === 404) throw new Refusal(400, 'no such group');
      if (error.status !== 409) throw error;
      return { status: 409, body: proto.Group.encode(this.find(publicKey).state) };
    }
  }

  #forgeChange(change) {
    return this.forge('signature') ? { ...change, serverSignature: flip(change.serverSignature) } : change;
  }

  #get({ user, publicKey }) {
    const { state } = this.find(publicKey);
    if (!user.memberOf(state) && !user.invitedTo(state)) throw new Refusal(403, 'not in the group');
    const group = this.forge('state') ? { ...state, members: state.members.map((member) =>
      ({ ...member, userId: flip(member.userId) })) } : state;
    return { body: proto.GroupResponse.encode({ group,
      groupSendEndorsementsResponse: this.#endorse(user, state) }) };
  }

  #logs({ user, publicKey }, from, query, headers) {
    const cached = headers['cached-send-endorsements'];
    if (cached === undefined) throw new Refusal(400, 'Cached-Send-Endorsements is missing');
    const { log, state } = this.find(publicKey);
    const member = user.memberOf(state);
    if (!member || (member.joinedAtVersion ?? 0) > from) throw new Refusal(403, 'not in the group then');
    const limit = Math.max(1, Math.min(Number(query.get('limit') ?? logPage), logPage));
    const to = Math.min(log.length, from + limit);
    const supported = query.get('maxSupportedChangeEpoch');
    const records = log.slice(from, to).map((one, index) => {
      const asked = (query.get('includeFirstState') === 'true' && index === 0)
        || (query.get('includeLastState') === 'true' && from + index === to - 1);
      const shown = asked || supported === null || Number(supported) < one.change.changeEpoch;
      return { groupChange: this.#forgeChange(one.change), groupState: shown ? one.state : null };
    });
    if (to < log.length) {
      return { status: 206, headers: { 'content-range': `versions ${from}-${to - 1}/${log.length - 1}` },
        body: proto.GroupChanges.encode({ groupChanges: records, groupSendEndorsementsResponse: null }) };
    }
    const stale = Number(cached) - now() < sixHours || log.slice(from).some(({ change }) => changesMembers(change));
    return { body: proto.GroupChanges.encode({ groupChanges: records,
      groupSendEndorsementsResponse: stale && records.length ? this.#endorse(user, state) : null }) };
  }

  #joinedAt({ user, publicKey }) {
    const member = user.memberOf(this.find(publicKey).state);
    if (!member) throw new Refusal(403, 'not in the group');
    return { body: proto.Member.encode({ joinedAtVersion: member.joinedAtVersion }) };
  }

  #joinInfo({ user, publicKey }, password) {
    const { state } = this.find(publicKey);
    const { addFromInviteLink } = state.accessControl;
    const pendingAdminApproval = Boolean(user.requesting(state));
    const open = [AccessRequired.ANY, AccessRequired.ADMINISTRATOR].includes(addFromInviteLink)
      && hex(fromBase64(password)) === hex(state.inviteLinkPassword);
    if (!pendingAdminApproval && !open) throw new Refusal(403, 'not a valid link');
    if (user.bannedFrom(state)) throw new Refusal(403, 'banned', { 'x-signal-forbidden-reason': 'banned' });
    return { body: proto.GroupJoinInfo.encode({ publicKey: state.publicKey, title: state.title,
      description: state.description, avatar: state.avatarUrl, memberCount: state.members.length, addFromInviteLink,
      version: state.version, pendingAdminApproval, pendingAdminApprovalFull: false }) };
  }

  // What S3 would check of the form (policy, signature) is not checked: the CDN is none of this service's.
  #avatarForm({ user, publicKey }) {
    const state = this.groups.get(hex(publicKey))?.state; // a group that is to be made has none
    const admins = state?.accessControl.attributes === AccessRequired.ADMINISTRATOR;
    if (state && (admins ? !user.adminOf(state) : !user.memberOf(state))) throw new Refusal(403, 'attributes');
    const id = new zk.GroupPublicParams(publicKey).getGroupIdentifier().serialize();
    const key = `groups/${urlSafe(id)}/${urlSafe(crypto.randomBytes(16))}`;
    return { body: proto.AvatarUploadAttributes.encode({ key, credential: 'credential', acl: 'private',
      algorithm: 'AWS4-HMAC-SHA256', date: new Date().toISOString(), policy: 'policy', signature: 'signature' }) };
  }

  #token({ user, publicKey }) {
    if (!user.memberOf(this.find(publicKey).state)) throw new Refusal(403, 'not in the group');
    return { body: proto.ExternalGroupCredential.encode({ token: 'token' }) };
  }

  // CDN 0 takes a multipart form with the form's fields first and the file last.
  async #storeAvatar(req) {
    const parts = multipart(await body(req), req.headers['content-type'] ?? '');
    const missing = ['key', 'acl', 'policy', 'x-amz-algorithm', 'x-amz-credential', 'x-amz-date', 'x-amz-signature',
      'file'].filter((name) => !parts.has(name));
    if (missing.length) throw new Refusal(400, `the form lacks ${missing}`);
    if ([...parts.keys()].at(-1) !== 'file') throw new Refusal(400, 'the file is not the last part');
    this.avatars.set(parts.get('key').toString(), parts.get('file'));
    return { status: 204 };
  }

  #servedAvatar(key) {
    const bytes = this.avatars.get(key);
    if (!bytes) throw new Refusal(404, 'no such avatar');
    return { headers: { 'content-type': 'application/octet-stream' }, body: bytes };
  }
}

/** The same bytes with one bit changed. */
export function flip(bytes) {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] ^= 1;
  return copy;
}

function changesMembers({ actions }) {
  const decoded = proto.GroupChange.Actions.decode(actions);
  return ['addMembers', 'deleteMembers', 'promoteMembersPendingProfileKey', 'promoteMembersPendingAdminApproval',
    'promoteMembersPendingPniAciProfileKey'].some((name) => decoded[name].length > 0);
}

function decode(type, bytes) {
  try {
    return type.decode(bytes);
  } catch (error) {
    throw new Refusal(400, error.message);
  }
}

async function body(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function multipart(bytes, contentType) {
  const boundary = /boundary="?([^";]+)"?/.exec(contentType)?.[1];
  if (!boundary) throw new Refusal(400, 'not a multipart form');
  const parts = new Map();
  const mark = Buffer.from(`--${boundary}`);
  for (let at = bytes.indexOf(mark); at >= 0;) {
    const next = bytes.indexOf(mark, at + mark.length);
    if (next < 0) break;
    const part = bytes.subarray(at + mark.length + 2, next - 2);
    const end = part.indexOf('\r\n\r\n');
    const name = /name="([^"]*)"/.exec(part.subarray(0, end).toString())?.[1];
    parts.set(name, part.subarray(end + 4));
    at = next;
  }
  return parts;
}
