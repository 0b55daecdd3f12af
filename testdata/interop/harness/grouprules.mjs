// What the storage service allows, and what a change does to a group: the rules of signalapp/storage-service
// (groups/GroupAuth, GroupValidator, GroupChangeApplicator), of which the mock has six actions. Labels and the end of a
// group are newer than that repository; their rules are those that the apps assume (Groups.proto's comments).
import { createRequire } from 'node:module';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';

const require = createRequire(import.meta.url);
// The newer mock's protobufs are today's Groups.proto; they serve both mocks.
export const { signalservice: proto } = require('mock-server-27/protos/compiled.js');

const { AccessRequired } = proto.AccessControl;
const { Role } = proto.Member;
const limits = { size: 1001, title: 1024, description: 8192, avatar: 3 * 1024 * 1024 };
// The revision of the change format that first knew a thing.
const epochs = { link: 1, description: 2, announcements: 3, banned: 4, pni: 5, labels: 6, terminate: 7 };

/** A request that the service turns down, with its HTTP status. */
export class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const bad = (message) => { throw new Refusal(400, message); };
const check = (allowed, message) => { if (!allowed) throw new Refusal(403, message); };
export const hex = (bytes) => Buffer.from(bytes ?? []).toString('hex');
const same = (a, b) => hex(a) === hex(b);

/** Who asks: the two ciphertexts of an auth credential's presentation. */
export class User {
  constructor(aci, pni) {
    this.aci = hex(aci);
    this.pni = pni && hex(pni);
  }

  is(userId) {
    return [this.aci, this.pni].includes(hex(userId));
  }

  memberOf = (state) => state.members.find((member) => this.is(member.userId));
  adminOf = (state) => this.memberOf(state)?.role === Role.ADMINISTRATOR;
  invitedTo = (state) => state.membersPendingProfileKey.find(({ member }) => this.is(member.userId));
  requesting = (state) => state.membersPendingAdminApproval.find(({ userId }) => this.is(userId));
  bannedFrom = (state) => state.membersBanned.find(({ userId }) => this.is(userId));
}

/** Nothing that this service does not know may be in what a client writes. */
export function refuseUnknown(message) {
  if (message?.$unknown?.length) bad('unknown fields');
  for (const value of Object.values(message ?? {})) {
    if (value && typeof value === 'object' && !ArrayBuffer.isView(value)) refuseUnknown(value);
  }
}

/** A profile key presentation's two ciphertexts, once it is verified for that group. */
function openPresentation(publicKey, profileOps, bytes) {
  try {
    const presentation = new zk.ProfileKeyCredentialPresentation(Buffer.from(bytes));
    profileOps.verifyProfileKeyCredentialPresentation(new zk.GroupPublicParams(Buffer.from(publicKey)), presentation);
    return { userId: presentation.getUuidCiphertext().serialize(),
      profileKey: presentation.getProfileKeyCiphertext().serialize() };
  } catch (error) {
    return bad(`presentation: ${error.message}`);
  }
}

const emptyMember = { userId: null, role: null, profileKey: null, presentation: null, joinedAtVersion: null,
  labelEmoji: null, labelString: null };

function knownRole(role) {
  if (role !== Role.DEFAULT && role !== Role.ADMINISTRATOR) bad('unknown member role');
  return role;
}

/** Checks a new group and fills in what the service fills in. */
export function validateNew(group, user, profileOps) {
  refuseUnknown(group);
  const { accessControl: access } = group;
  if (group.version !== 0 || !group.publicKey.length || !group.title.length) bad('version, key or title');
  if (!access?.attributes || !access?.members) bad('access control');
  const members = group.members.map(({ role, presentation, labelEmoji, labelString }) => ({ ...emptyMember,
    role: knownRole(role), ...openPresentation(group.publicKey, profileOps, presentation), joinedAtVersion: 0,
    labelEmoji, labelString }));
  const state = { ...group, members };
  if (!user.adminOf(state)) bad('the creator is not an admin');
  state.membersPendingProfileKey = group.membersPendingProfileKey.map(({ member }) =>
    invitation(member, user.memberOf(state), 0));
  if (group.membersPendingAdminApproval.length || group.membersBanned.length) bad('requesting or banned members');
  validateFinal(state);
  return state;
}

function invitation(member, addedBy, revision) {
  if (!member?.userId?.length || member.profileKey.length || member.presentation.length) bad('invitation');
  return { member: { ...emptyMember, userId: member.userId, role: knownRole(member.role), joinedAtVersion: revision },
    addedByUserId: addedBy.userId, timestamp: BigInt(Date.now()) };
}

function validateFinal(state) {
  if (!state.title.length || state.title.length > limits.title) bad('title');
  if (state.description.length > limits.description) bad('description');
  if (![0, 16].includes(state.inviteLinkPassword.length)) bad('invite link password');
  const { addFromInviteLink } = state.accessControl;
  const closed = [AccessRequired.UNSATISFIABLE, AccessRequired.UNKNOWN].includes(addFromInviteLink);
  if (!state.inviteLinkPassword.length && !closed) bad('a link without a password');
  const ids = [...state.members.map((m) => m.userId), ...state.membersPendingProfileKey.map((m) => m.member.userId),
    ...state.membersPendingAdminApproval.map((m) => m.userId)].map(hex);
  if (ids.length > limits.size) bad('group size');
  if (new Set(ids).size !== ids.length) bad('somebody is there twice');
  const banned = state.membersBanned.map((m) => hex(m.userId));
  if (new Set(banned).size !== banned.length || banned.some((id) => ids.includes(id))) bad('banned and not');
}

/** One change: `before` and `after` are states, `actions` what the client submitted. */
class Application {
  epoch = 0;

  constructor({ before, actions, user, password, profileOps }) {
    Object.assign(this, { before, user, password, profileOps });
    this.revision = before.version + 1;
    this.actions = { ...actions };
    this.after = { ...before, accessControl: { ...before.accessControl } };
    this.admin = user.adminOf(before);
    this.member = user.memberOf(before);
  }

  open = (bytes) => openPresentation(this.before.publicKey, this.profileOps, bytes);
  own = (bytes) => {
    const opened = this.open(bytes);
    check(this.user.is(opened.userId), 'a presentation of somebody else');
    return opened;
  };
  linkOpen = (access) => this.before.accessControl.addFromInviteLink === access
    && this.password && same(this.before.inviteLinkPassword, this.password);
  membersAllowed = () => this.member && (this.admin
    || [AccessRequired.ANY, AccessRequired.MEMBER].includes(this.before.accessControl.members));
  attributesAllowed = () => check(this.member && (this.admin
    || this.before.accessControl.attributes !== AccessRequired.ADMINISTRATOR), 'attributes');

  /** Takes these out of a list of the state; each has to be there, once. */
  take(list, ids, idOf = (entry) => entry.userId) {
    const wanted = new Set(ids.map(hex));
    const kept = this.after[list].filter((entry) => !wanted.has(hex(idOf(entry))));
    if (wanted.size !== ids.length || kept.length + ids.length !== this.after[list].length) bad(`not in ${list}`);
    this.after[list] = kept;
  }

  raise(epoch) {
    this.epoch = Math.max(this.epoch, epoch);
  }
}

// In the order of the service. A list's function gets the list if it is not empty, another's the action if it is there;
// what they answer replaces what the client wrote.
const appliers = {
  deleteMembersBanned(change, list) {
    check(change.membersAllowed(), 'unban');
    change.take('membersBanned', list.map((one) => one.deletedUserId));
    change.raise(epochs.banned);
  },
  addMembersBanned(change, list) {
    check(change.admin, 'ban');
    const added = list.map(({ added: { userId } }) => ({ userId, timestamp: BigInt(Date.now()) }));
    change.after.membersBanned = [...change.after.membersBanned, ...added];
    change.raise(epochs.banned);
    return added.map((one) => ({ added: one }));
  },
  addMembers(change, list) {
    const opened = list.map(({ added, joinFromInviteLink }) => {
      if (!added?.presentation?.length || joinFromInviteLink) bad('added member');
      return { ...emptyMember, role: knownRole(added.role), ...change.open(added.presentation),
        joinedAtVersion: change.revision };
    });
    const byLink = !change.member && change.linkOpen(AccessRequired.ANY) && opened.length === 1
      && change.user.is(opened[0].userId);
    check(change.membersAllowed() || byLink, 'add members');
    check(change.admin || opened.every(({ role }) => role === Role.DEFAULT), 'add an admin');
    const ids = opened.map(({ userId }) => hex(userId));
    for (const [name, idOf] of [['membersPendingProfileKey', (one) => one.member.userId],
      ['membersPendingAdminApproval', (one) => one.userId]]) {
      change.after[name] = change.after[name].filter((one) => !ids.includes(hex(idOf(one))));
    }
    change.after.members = [...change.after.members, ...opened];
    return opened.map((added) => ({ added, joinFromInviteLink: Boolean(byLink) }));
  },
  deleteMembers(change, list) {
    check(change.admin || (list.length === 1 && change.user.is(list[0].deletedUserId)), 'remove members');
    change.take('members', list.map((one) => one.deletedUserId));
  },
  modifyMemberRoles(change, list) {
    check(change.admin, 'roles');
    for (const { userId, role } of list) {
      if (!change.after.members.some((member) => same(member.userId, userId))) bad('not a member');
      change.after.members = change.after.members.map((member) =>
        (same(member.userId, userId) ? { ...member, role: knownRole(role) } : member));
    }
  },
  modifyMemberLabels(change, list) {
    check(change.member && list.length === 1 && change.user.is(list[0].userId), 'labels of others');
    check(change.admin || change.before.accessControl.memberLabel !== AccessRequired.ADMINISTRATOR, 'labels');
    const { labelEmoji, labelString } = list[0];
    change.after.members = change.after.members.map((member) =>
      (change.user.is(member.userId) ? { ...member, labelEmoji, labelString } : member));
    change.raise(epochs.labels);
  },
  modifyMemberProfileKeys(change, list) {
    return list.map(({ presentation }) => {
      const { userId, profileKey } = change.own(presentation);
      check(change.member, 'profile key');
      change.after.members = change.after.members.map((member) =>
        (same(member.userId, userId) ? { ...member, profileKey } : member));
      return { presentation: null, userId, profileKey };
    });
  },
  addMembersPendingProfileKey(change, list) {
    check(change.membersAllowed(), 'invite');
    check(change.admin || list.every(({ added }) => added.member.role === Role.DEFAULT), 'invite an admin');
    const added = list.map((one) => invitation(one.added?.member, change.member, change.revision));
    change.after.membersPendingProfileKey = [...change.after.membersPendingProfileKey, ...added];
    return added.map((one) => ({ added: one }));
  },
  deleteMembersPendingProfileKey(change, list) {
    check(change.admin || (list.length === 1 && change.user.is(list[0].deletedUserId)), 'revoke invitations');
    change.take('membersPendingProfileKey', list.map((one) => one.deletedUserId), (one) => one.member.userId);
  },
  promoteMembersPendingProfileKey(change, list) {
    return list.map(({ presentation }) => {
      const { userId, profileKey } = change.own(presentation);
      promote(change, userId, { userId, profileKey });
      return { presentation: null, userId, profileKey };
    });
  },
  modifyTitle(change, { title }) {
    change.attributesAllowed();
    change.after.title = title;
  },
  modifyAvatar(change, { avatar }) {
    change.attributesAllowed();
    change.after.avatarUrl = avatar;
  },
  modifyDisappearingMessageTimer(change, { timer }) {
    change.attributesAllowed();
    change.after.disappearingMessagesTimer = timer;
  },
  modifyAttributesAccess: access('attributes', 'attributesAccess',
    [AccessRequired.MEMBER, AccessRequired.ADMINISTRATOR]),
  modifyMemberAccess: access('members', 'membersAccess', [AccessRequired.MEMBER, AccessRequired.ADMINISTRATOR]),
  modifyAddFromInviteLinkAccess: access('addFromInviteLink', 'addFromInviteLinkAccess',
    [AccessRequired.ANY, AccessRequired.ADMINISTRATOR, AccessRequired.UNSATISFIABLE], epochs.link),
  modifyMemberLabelAccess: access('memberLabel', 'memberLabelAccess',
    [AccessRequired.MEMBER, AccessRequired.ADMINISTRATOR], epochs.labels),
  addMembersPendingAdminApproval(change, list) {
    check(change.linkOpen(AccessRequired.ADMINISTRATOR), 'ask to join');
    check(!change.user.bannedFrom(change.before), 'banned');
    if (list.length !== 1) bad('others');
    const { added } = list[0];
    if (added.userId.length || added.profileKey.length || added.timestamp) bad('request');
    const request = { ...change.own(added.presentation), presentation: null, timestamp: BigInt(Date.now()) };
    change.after.membersPendingAdminApproval = [...change.after.membersPendingAdminApproval, request];
    change.raise(epochs.link);
    return [{ added: request }];
  },
  deleteMembersPendingAdminApproval(change, list) {
    check(change.admin || (list.length === 1 && change.user.is(list[0].deletedUserId)), 'deny requests');
    change.take('membersPendingAdminApproval', list.map((one) => one.deletedUserId));
    change.raise(epochs.link);
  },
  promoteMembersPendingAdminApproval(change, list) {
    check(change.admin, 'approve requests');
    for (const { userId, role } of list) {
      const request = change.after.membersPendingAdminApproval.find((one) => same(one.userId, userId));
      change.take('membersPendingAdminApproval', [userId]);
      change.after.members = [...change.after.members, { ...emptyMember, userId, role: knownRole(role),
        profileKey: request.profileKey, joinedAtVersion: change.revision }];
    }
    change.raise(epochs.link);
  },
  modifyInviteLinkPassword(change, { inviteLinkPassword }) {
    check(change.admin, 'link');
    change.after.inviteLinkPassword = inviteLinkPassword;
    change.raise(epochs.link);
  },
  modifyDescription(change, { description }) {
    change.attributesAllowed();
    change.after.description = description;
    change.raise(epochs.description);
  },
  modifyAnnouncementsOnly(change, { announcementsOnly }) {
    check(change.admin, 'announcements');
    change.after.announcementsOnly = announcementsOnly;
    change.raise(epochs.announcements);
  },
  promoteMembersPendingPniAciProfileKey(change, list) {
    change.raise(epochs.pni);
    return list.map(({ presentation }) => {
      const { userId, profileKey } = change.own(presentation);
      const pni = Buffer.from(change.user.pni, 'hex');
      promote(change, pni, { userId, profileKey });
      change.after.membersPendingProfileKey = change.after.membersPendingProfileKey
        .filter(({ member }) => !same(member.userId, userId)); // invited both ways
      change.sourceUserId = pni;
      return { presentation: null, userId, pni, profileKey };
    });
  },
  terminateGroup(change) {
    check(change.admin, 'end the group');
    change.after.terminated = true;
    change.raise(epochs.terminate);
  },
};

function access(name, field, allowed, epoch = 0) {
  return (change, action) => {
    check(change.admin, name);
    if (!allowed.includes(action[field])) bad(name);
    change.after.accessControl[name] = action[field];
    change.raise(epoch);
  };
}

function promote(change, invited, member) {
  const pending = change.after.membersPendingProfileKey.find((one) => same(one.member.userId, invited));
  check(pending, 'no invitation');
  change.take('membersPendingProfileKey', [invited], (one) => one.member.userId);
  change.after.members = [...change.after.members,
    { ...emptyMember, ...member, role: pending.member.role, joinedAtVersion: change.revision }];
}

// A group with members always has an admin: where a change takes the last one, everyone else becomes one.
function ensureAdmins(change) {
  const { members } = change.after;
  if (!members.length || members.some(({ role }) => role === Role.ADMINISTRATOR)) return;
  const chosen = members.filter((member) => member.joinedAtVersion !== change.revision);
  for (const { userId } of chosen.length ? chosen : members) {
    change.actions.modifyMemberRoles = [...change.actions.modifyMemberRoles, { userId, role: Role.ADMINISTRATOR }];
    change.after.members = change.after.members.map((member) =>
      (same(member.userId, userId) ? { ...member, role: Role.ADMINISTRATOR } : member));
  }
}

/** Applies a client's actions; answers the new state, the actions as they get signed, and their epoch. */
export function applyActions(request) {
  const { before, actions, user } = request;
  if (actions.version !== before.version + 1) throw new Refusal(409, 'conflict');
  if (actions.groupId.length || actions.sourceUserId.length) bad('group id or source are the service\'s');
  if (before.terminated) throw new Refusal(403, 'the group has ended');
  refuseUnknown(actions);
  const change = new Application(request);
  for (const [name, apply] of Object.entries(appliers)) {
    const action = actions[name];
    if (!action || action.length === 0) continue;
    change.actions[name] = apply(change, action) ?? action;
  }
  ensureAdmins(change);
  const known = user.memberOf(before) ?? user.memberOf(change.after) ?? user.requesting(change.after)
    ?? user.requesting(before) ?? user.invitedTo(before)?.member;
  check(known, 'a stranger');
  const sourceUserId = change.sourceUserId ?? known.userId;
  const after = { ...change.after, version: change.revision };
  validateFinal(after);
  const groupId = new zk.GroupPublicParams(Buffer.from(before.publicKey)).getGroupIdentifier().serialize();
  return { after, actions: { ...change.actions, sourceUserId, groupId }, epoch: change.epoch };
}
