// A group as its members have it: the official library's client side, with the master key. It turns wishes into
// encrypted actions, and the service's state into JSON that a test can compare with what signalbox says of the group.
import crypto from 'node:crypto';
import { Aci, Pni } from '@signalapp/libsignal-client';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { hex, proto, User } from './grouprules.mjs';

const { AccessRequired } = proto.AccessControl;
const { Role } = proto.Member;
const permissions = { members: AccessRequired.MEMBER, admins: AccessRequired.ADMINISTRATOR };
const links = { off: AccessRequired.UNSATISFIABLE, on: AccessRequired.ANY, approval: AccessRequired.ADMINISTRATOR };
const nameOf = (table, value) => Object.keys(table).find((name) => table[name] === value) ?? 'none';
const base64 = (bytes) => Buffer.from(bytes ?? []).toString('base64');

export class MemberGroup {
  constructor(service, masterKey) {
    this.service = service;
    this.secret = zk.GroupSecretParams.deriveFromMasterKey(new zk.GroupMasterKey(Buffer.from(masterKey)));
    this.cipher = new zk.ClientZkGroupCipher(this.secret);
    this.masterKey = Buffer.from(masterKey);
    this.publicKey = Buffer.from(this.secret.getPublicParams().serialize());
    this.id = base64(this.secret.getPublicParams().getGroupIdentifier().serialize());
  }

  static create(service, creator, wishes) {
    const group = new MemberGroup(service, crypto.randomBytes(32));
    service.create(group.userOf(creator), group.#newState(creator, wishes));
    return group;
  }

  get state() {
    return this.service.find(this.publicKey).state;
  }

  context(revision = this.state.version) {
    return { masterKey: base64(this.masterKey), revision };
  }

  aci = (account) => Buffer.from(this.cipher.encryptServiceId(Aci.parseFromServiceIdString(account.aci)).serialize());
  pni = (account) => Buffer.from(this.cipher.encryptServiceId(
    Pni.parseFromServiceIdString(account.primary.device.pni)).serialize());
  userOf = (account) => new User(this.aci(account), this.pni(account));
  blob = (content) => this.cipher.encryptBlob(proto.GroupAttributeBlob.encode({ content }));

  /** A presentation of the account's profile key credential, issued and received here. */
  presentation(account) {
    const aci = Aci.parseFromServiceIdString(account.aci);
    const key = new zk.ProfileKey(account.profileKey);
    const ops = new zk.ClientZkProfileOperations(this.service.publicParams);
    const context = ops.createProfileKeyCredentialRequestContext(aci, key);
    const day = 86_400;
    const expiration = Math.floor(Date.now() / 1000 / day) * day + 7 * day;
    const response = this.service.profileOps.issueExpiringProfileKeyCredential(context.getRequest(), aci,
      key.getCommitment(aci), expiration);
    return ops.createExpiringProfileKeyCredentialPresentation(this.secret,
      ops.receiveExpiringProfileKeyCredential(context, response)).serialize();
  }

  #newState(creator, { title, description, timer, members = [], admins = [], invited = [], invitedPni = [],
    link = 'off', announcementsOnly = false, attributesAccess = 'members', membersAccess = 'members',
    labelAccess = 'members' }) {
    const member = (role) => (account) => ({ role, presentation: this.presentation(account) });
    const invite = (userId) => ({ member: { userId, role: Role.DEFAULT } });
    return proto.Group.decode(proto.Group.encode({
      publicKey: this.publicKey, version: 0, title: this.blob({ title }),
      description: description === undefined ? null : this.blob({ descriptionText: description }),
      disappearingMessagesTimer: timer === undefined ? null : this.blob({ disappearingMessagesDuration: timer }),
      accessControl: { attributes: permissions[attributesAccess], members: permissions[membersAccess],
        memberLabel: permissions[labelAccess], addFromInviteLink: links[link] },
      inviteLinkPassword: link === 'off' ? null : crypto.randomBytes(16), announcementsOnly,
      members: [creator, ...admins].map(member(Role.ADMINISTRATOR)).concat(members.map(member(Role.DEFAULT))),
      membersPendingProfileKey: [...invited.map(this.aci), ...invitedPni.map(this.pni)].map(invite),
    }));
  }

  /** What each wish of a test becomes in a change. */
  actions(editor, wishes) {
    const fields = { version: this.state.version + 1 };
    for (const [wish, value] of Object.entries(wishes)) {
      if (!this.#wishes[wish]) throw new Error(`no such change: ${wish}`);
      for (const [name, action] of Object.entries(this.#wishes[wish](value, editor))) {
        fields[name] = Array.isArray(action) ? [...(fields[name] ?? []), ...action] : action;
      }
    }
    return proto.GroupChange.Actions.decode(proto.GroupChange.Actions.encode(fields));
  }

  /** Makes a change as a member (or somebody who joins); answers the signed change in base64, and the revision. */
  change(editor, wishes, password) {
    const change = this.service.modify(this.userOf(editor), this.publicKey, this.actions(editor, wishes), password);
    return { change: base64(proto.GroupChange.encode(change)), revision: this.state.version };
  }

  #added = (role) => (account) => ({ added: { role, presentation: this.presentation(account) } });
  #deleted = (ids) => ids.map((deletedUserId) => ({ deletedUserId }));
  #wishes = {
    title: (title) => ({ modifyTitle: { title: this.blob({ title }) } }),
    description: (text) => ({ modifyDescription: { description: this.blob({ descriptionText: text }) } }),
    timer: (seconds) => ({ modifyDisappearingMessageTimer: {
      timer: this.blob({ disappearingMessagesDuration: seconds }) } }),
    avatar: (bytes) => ({ modifyAvatar: { avatar: bytes ? this.#storeAvatar(Buffer.from(bytes, 'base64')) : '' } }),
    announcementsOnly: (on) => ({ modifyAnnouncementsOnly: { announcementsOnly: on } }),
    attributesAccess: (who) => ({ modifyAttributesAccess: { attributesAccess: permissions[who] } }),
    membersAccess: (who) => ({ modifyMemberAccess: { membersAccess: permissions[who] } }),
    labelAccess: (who) => ({ modifyMemberLabelAccess: { memberLabelAccess: permissions[who] } }),
    link: (state) => ({ modifyAddFromInviteLinkAccess: { addFromInviteLinkAccess: links[state] },
      ...(state !== 'off' && !this.state.inviteLinkPassword.length ? this.#newPassword() : {}) }),
    resetLink: () => this.#newPassword(),
    add: (accounts) => ({ addMembers: accounts.map(this.#added(Role.DEFAULT)) }),
    addAdmins: (accounts) => ({ addMembers: accounts.map(this.#added(Role.ADMINISTRATOR)) }),
    invite: (accounts) => this.#invite(accounts.map(this.aci)),
    invitePni: (accounts) => this.#invite(accounts.map(this.pni)),
    revoke: (accounts) => ({ deleteMembersPendingProfileKey: this.#deleted(accounts.map(this.aci)) }),
    revokePni: (accounts) => ({ deleteMembersPendingProfileKey: this.#deleted(accounts.map(this.pni)) }),
    remove: (accounts) => ({ deleteMembers: this.#deleted(accounts.map(this.aci)) }),
    promote: (accounts) => this.#roles(accounts, Role.ADMINISTRATOR),
    demote: (accounts) => this.#roles(accounts, Role.DEFAULT),
    ban: (accounts) => ({ addMembersBanned: accounts.map((one) => ({ added: { userId: this.aci(one) } })) }),
    unban: (accounts) => ({ deleteMembersBanned: this.#deleted(accounts.map(this.aci)) }),
    approve: (accounts) => ({ promoteMembersPendingAdminApproval: accounts.map((one) =>
      ({ userId: this.aci(one), role: Role.DEFAULT })) }),
    deny: (accounts) => ({ deleteMembersPendingAdminApproval: this.#deleted(accounts.map(this.aci)) }),
    label: ({ text, emoji }, editor) => ({ modifyMemberLabels: [{ userId: this.aci(editor),
      labelString: this.cipher.encryptBlob(Buffer.from(text ?? '')),
      labelEmoji: this.cipher.encryptBlob(Buffer.from(emoji ?? '')) }] }),
    accept: (_, editor) => ({ promoteMembersPendingProfileKey: [{ presentation: this.presentation(editor) }] }),
    acceptPni: (_, editor) => ({ promoteMembersPendingPniAciProfileKey: [
      { presentation: this.presentation(editor) }] }),
    decline: (_, editor) => ({ deleteMembersPendingProfileKey: this.#deleted([this.aci(editor)]) }),
    leave: (_, editor) => ({ deleteMembers: this.#deleted([this.aci(editor)]) }),
    join: (_, editor) => ({ addMembers: [this.#added(Role.DEFAULT)(editor)] }),
    request: (_, editor) => ({ addMembersPendingAdminApproval: [
      { added: { presentation: this.presentation(editor) } }] }),
    cancelRequest: (_, editor) => ({ deleteMembersPendingAdminApproval: this.#deleted([this.aci(editor)]) }),
    terminate: () => ({ terminateGroup: {} }),
  };

  #newPassword = () => ({ modifyInviteLinkPassword: { inviteLinkPassword: crypto.randomBytes(16) } });
  #invite = (ids) => ({ addMembersPendingProfileKey: ids.map((userId) =>
    ({ added: { member: { userId, role: Role.DEFAULT } } })) });
  #roles = (accounts, role) => ({ modifyMemberRoles: accounts.map((one) => ({ userId: this.aci(one), role })) });

  #storeAvatar(bytes) {
    const parts = [Buffer.from(this.id, 'base64'), crypto.randomBytes(16)].map((part) => part.toString('base64url'));
    const key = ['groups', ...parts].join('/');
    this.service.avatars.set(key, Buffer.from(this.blob({ avatar: bytes })));
    return key;
  }

  #text = (bytes, field) => (bytes?.length
    ? proto.GroupAttributeBlob.decode(this.cipher.decryptBlob(Buffer.from(bytes))).content?.[field] : undefined);
  #label = (bytes) => (bytes?.length ? Buffer.from(this.cipher.decryptBlob(Buffer.from(bytes))).toString() : '');
  serviceId = (bytes) => this.cipher.decryptServiceId(new zk.UuidCiphertext(Buffer.from(bytes))).getServiceIdString();

  /** The state of the service, decrypted by the official library. */
  describe(state = this.state) {
    const { accessControl: access } = state;
    const avatar = this.service.avatars.get(state.avatarUrl);
    return { id: this.id, revision: state.version, title: this.#text(state.title, 'title') ?? '',
      description: this.#text(state.description, 'descriptionText') ?? '',
      timer: this.#text(state.disappearingMessagesTimer, 'disappearingMessagesDuration') ?? 0,
      avatar: avatar && base64(this.#text(avatar, 'avatar')), announcementsOnly: state.announcementsOnly,
      addMembers: nameOf(permissions, access.members), editDetails: nameOf(permissions, access.attributes),
      editLabels: nameOf(permissions, access.memberLabel), link: nameOf(links, access.addFromInviteLink),
      linkUrl: state.inviteLinkPassword.length ? this.link() : '', terminated: state.terminated,
      members: state.members.map((member) => this.#member(member)),
      pending: state.membersPendingProfileKey.map(({ member, addedByUserId }) => ({ role: roleName(member.role),
        serviceId: this.serviceId(member.userId), invitedBy: this.serviceId(addedByUserId) })),
      requesting: state.membersPendingAdminApproval.map(({ userId }) => this.serviceId(userId)),
      banned: state.membersBanned.map(({ userId }) => this.serviceId(userId)) };
  }

  #member({ userId, role, profileKey, joinedAtVersion, labelString, labelEmoji }) {
    const serviceId = this.serviceId(userId);
    const key = this.cipher.decryptProfileKey(new zk.ProfileKeyCiphertext(Buffer.from(profileKey)),
      Aci.parseFromServiceIdString(serviceId));
    return { serviceId, role: roleName(role), joinedAt: joinedAtVersion ?? 0, label: this.#label(labelString),
      emoji: this.#label(labelEmoji), profileKey: base64(key.serialize()) };
  }

  /** A token for a message to everyone but this member. */
  token(account) {
    const response = new zk.GroupSendEndorsementsResponse(
      Buffer.from(this.service.endorsements(this.userOf(account), this.state)));
    const members = this.state.members.map(({ userId }) => new zk.UuidCiphertext(Buffer.from(userId)));
    const { combinedEndorsement } = response.receiveWithCiphertexts(members, new zk.UuidCiphertext(this.aci(account)),
      this.service.publicParams);
    return base64(combinedEndorsement.toFullToken(this.secret, response.getExpiration()).serialize());
  }

  /** The invite link, as the apps write it. */
  link(password = this.state.inviteLinkPassword) {
    const bytes = proto.GroupInviteLink.encode({ contents: { contentsV1: { groupMasterKey: this.masterKey,
      inviteLinkPassword: password } } });
    return `https://signal.group/#${Buffer.from(bytes).toString('base64url')}`;
  }

  /** Opens a link: the group that it names, and the password that it brings. */
  static parseLink(url) {
    const { contents } = proto.GroupInviteLink.decode(Buffer.from(url.split('#')[1], 'base64url'));
    const { groupMasterKey, inviteLinkPassword } = contents.contentsV1;
    return { masterKey: Buffer.from(groupMasterKey), password: Buffer.from(inviteLinkPassword) };
  }
}

const roleName = (role) => (role === Role.ADMINISTRATOR ? 'admin' : 'member');

/** The mock's own groups, for the tests that leave it as it is: only what these need. */
export class PlainGroups {
  avatars = new Map();

  constructor({ server, version, protobufs }) {
    Object.assign(this, { server, version, protobufs });
  }

  find(publicKey) {
    const group = this.server.groups.get(base64(publicKey));
    if (!group) throw new Error(`the mock has no group ${hex(publicKey)}`);
    const encoded = this.protobufs.Group.encode(group.state);
    return { state: proto.Group.decode(Buffer.from(this.version === 15 ? encoded.finish() : encoded)) };
  }

  modify(user, publicKey, actions) {
    const group = this.server.groups.get(base64(publicKey));
    const bytes = Buffer.from(proto.GroupChange.Actions.encode(actions));
    const { UuidCiphertext } = this.server.harnessLibrary;
    const { conflict, signedChange } = group.modify(new UuidCiphertext(Buffer.from(user.aci, 'hex')),
      new UuidCiphertext(Buffer.from(user.pni, 'hex')), this.protobufs.GroupChange.Actions.decode(bytes));
    if (conflict) throw new Error('conflict');
    return { ...signedChange };
  }
}
