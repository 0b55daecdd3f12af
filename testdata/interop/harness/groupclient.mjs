// A group as its members have it: the official library's client side, with the master key. It turns wishes into
// encrypted actions, and the service's state into JSON that a test can compare with what signalbox says of the group.
import crypto from 'node:crypto';
import { Aci, Pni } from '@signalapp/libsignal-client';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { hex, proto, Refusal, User } from './grouprules.mjs';

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

  static async create(service, creator, wishes) {
    const group = new MemberGroup(service, crypto.randomBytes(32));
    await service.createGroup(group, creator, await group.#newState(creator, wishes));
    return group;
  }

  /** The state as the service has it now, encrypted. */
  async current() {
    return this.service.stateOf(this);
  }

  async context(revision) {
    return { masterKey: base64(this.masterKey), revision: revision ?? (await this.current()).version };
  }

  aci = (account) => Buffer.from(this.cipher.encryptServiceId(Aci.parseFromServiceIdString(account.aci)).serialize());
  pni = (account) => Buffer.from(this.cipher.encryptServiceId(
    Pni.parseFromServiceIdString(account.primary.device.pni)).serialize());
  userOf = (account) => new User(this.aci(account), this.pni(account));
  blob = (content) => this.cipher.encryptBlob(proto.GroupAttributeBlob.encode({ content }));

  /** A presentation of the account's profile key credential. */
  presentation = (account) => this.service.presentation(this, account);

  async #newState(creator, { title, description, timer, members = [], admins = [], invited = [], invitedPni = [],
    link = 'off', announcementsOnly = false, attributesAccess = 'members', membersAccess = 'members',
    labelAccess = 'members' }) {
    const member = (role) => async (account) => ({ role, presentation: await this.presentation(account) });
    const invite = (userId) => ({ member: { userId, role: Role.DEFAULT } });
    return proto.Group.decode(proto.Group.encode({
      publicKey: this.publicKey, version: 0, title: this.blob({ title }),
      description: description === undefined ? null : this.blob({ descriptionText: description }),
      disappearingMessagesTimer: timer === undefined ? null : this.blob({ disappearingMessagesDuration: timer }),
      accessControl: { attributes: permissions[attributesAccess], members: permissions[membersAccess],
        memberLabel: permissions[labelAccess], addFromInviteLink: links[link] },
      inviteLinkPassword: link === 'off' ? null : crypto.randomBytes(16), announcementsOnly,
      members: await Promise.all([creator, ...admins].map(member(Role.ADMINISTRATOR))
        .concat(members.map(member(Role.DEFAULT)))),
      membersPendingProfileKey: [...invited.map(this.aci), ...invitedPni.map(this.pni)].map(invite),
    }));
  }

  /** What each wish of a test becomes in a change. */
  async #actions(state, editor, wishes) {
    const fields = { version: state.version + 1 };
    for (const [wish, value] of Object.entries(wishes)) {
      if (!this.#wishes[wish]) throw new Error(`no such change: ${wish}`);
      for (const [name, action] of Object.entries(await this.#wishes[wish](value, editor, state))) {
        fields[name] = Array.isArray(action) ? [...(fields[name] ?? []), ...action] : action;
      }
    }
    return proto.GroupChange.Actions.decode(proto.GroupChange.Actions.encode(fields));
  }

  /**
   * Makes a change as a member (or somebody who joins); answers the signed change in base64, and the revision. `state` is
   * what the editor takes for the group's, where it need not ask.
   */
  async change(editor, wishes, { password, state } = {}) {
    for (let tries = 1; ; tries++) {
      const actions = await this.#actions(tries === 1 && state ? state : await this.current(), editor, wishes);
      try {
        const change = await this.service.change(this, editor, actions, password);
        return { change: base64(proto.GroupChange.encode(change)), revision: actions.version };
      } catch (error) {
        if (error.status !== 409 || tries === 10) throw error; // somebody was faster
      }
    }
  }

  #added = (role) => async (account) => ({ added: { role, presentation: await this.presentation(account) } });
  #addedAll = async (accounts, role) => ({ addMembers: await Promise.all(accounts.map(this.#added(role))) });
  #deleted = (ids) => ids.map((deletedUserId) => ({ deletedUserId }));
  #wishes = {
    title: (title) => ({ modifyTitle: { title: this.blob({ title }) } }),
    description: (text) => ({ modifyDescription: { description: this.blob({ descriptionText: text }) } }),
    timer: (seconds) => ({ modifyDisappearingMessageTimer: {
      timer: this.blob({ disappearingMessagesDuration: seconds }) } }),
    avatar: async (bytes, editor) => ({ modifyAvatar: {
      avatar: bytes ? await this.#storeAvatar(editor, Buffer.from(bytes, 'base64')) : '' } }),
    announcementsOnly: (on) => ({ modifyAnnouncementsOnly: { announcementsOnly: on } }),
    attributesAccess: (who) => ({ modifyAttributesAccess: { attributesAccess: permissions[who] } }),
    membersAccess: (who) => ({ modifyMemberAccess: { membersAccess: permissions[who] } }),
    labelAccess: (who) => ({ modifyMemberLabelAccess: { memberLabelAccess: permissions[who] } }),
    link: (wanted, _, { inviteLinkPassword }) => ({
      modifyAddFromInviteLinkAccess: { addFromInviteLinkAccess: links[wanted] },
      ...(wanted !== 'off' && !inviteLinkPassword.length ? this.#newPassword() : {}) }),
    resetLink: () => this.#newPassword(),
    add: (accounts) => this.#addedAll(accounts, Role.DEFAULT),
    addAdmins: (accounts) => this.#addedAll(accounts, Role.ADMINISTRATOR),
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
    accept: async (_, editor) => ({ promoteMembersPendingProfileKey: [
      { presentation: await this.presentation(editor) }] }),
    acceptPni: async (_, editor) => ({ promoteMembersPendingPniAciProfileKey: [
      { presentation: await this.presentation(editor) }] }),
    decline: (_, editor) => ({ deleteMembersPendingProfileKey: this.#deleted([this.aci(editor)]) }),
    leave: (_, editor) => ({ deleteMembers: this.#deleted([this.aci(editor)]) }),
    join: (_, editor) => this.#addedAll([editor], Role.DEFAULT),
    request: async (_, editor) => ({ addMembersPendingAdminApproval: [
      { added: { presentation: await this.presentation(editor) } }] }),
    cancelRequest: (_, editor) => ({ deleteMembersPendingAdminApproval: this.#deleted([this.aci(editor)]) }),
    terminate: () => ({ terminateGroup: {} }),
  };

  #newPassword = () => ({ modifyInviteLinkPassword: { inviteLinkPassword: crypto.randomBytes(16) } });
  #invite = (ids) => ({ addMembersPendingProfileKey: ids.map((userId) =>
    ({ added: { member: { userId, role: Role.DEFAULT } } })) });
  #roles = (accounts, role) => ({ modifyMemberRoles: accounts.map((one) => ({ userId: this.aci(one), role })) });

  #storeAvatar(editor, bytes) {
    return this.service.putAvatar(this, editor, Buffer.from(this.blob({ avatar: bytes })));
  }

  #text = (bytes, field) => (bytes?.length
    ? proto.GroupAttributeBlob.decode(this.cipher.decryptBlob(Buffer.from(bytes))).content?.[field] : undefined);
  #label = (bytes) => (bytes?.length ? Buffer.from(this.cipher.decryptBlob(Buffer.from(bytes))).toString() : '');
  serviceId = (bytes) => this.cipher.decryptServiceId(new zk.UuidCiphertext(Buffer.from(bytes))).getServiceIdString();

  /** The state of the service, decrypted by the official library. */
  async describe() {
    const state = await this.current();
    const { accessControl: access } = state;
    const avatar = await this.service.avatar(state.avatarUrl);
    return { id: this.id, revision: state.version, title: this.#text(state.title, 'title') ?? '',
      description: this.#text(state.description, 'descriptionText') ?? '',
      timer: this.#text(state.disappearingMessagesTimer, 'disappearingMessagesDuration') ?? 0,
      avatar: avatar && base64(this.#text(avatar, 'avatar')), announcementsOnly: state.announcementsOnly,
      addMembers: nameOf(permissions, access.members), editDetails: nameOf(permissions, access.attributes),
      editLabels: nameOf(permissions, access.memberLabel), link: nameOf(links, access.addFromInviteLink),
      linkUrl: state.inviteLinkPassword.length ? this.#linkWith(state.inviteLinkPassword) : '', terminated: state.terminated,
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

  #received(account, { state, bytes }) {
    const response = new zk.GroupSendEndorsementsResponse(Buffer.from(bytes));
    const members = state.members.map(({ userId }) => new zk.UuidCiphertext(Buffer.from(userId)));
    return { members, expiration: response.getExpiration(), ...response.receiveWithCiphertexts(members,
      new zk.UuidCiphertext(this.aci(account)), this.service.publicParams) };
  }

  /** A token for a message to everyone but this member. */
  async token(account) {
    const received = this.#received(account, await this.service.endorsements(this, account));
    return base64(received.combinedEndorsement.toFullToken(this.secret, received.expiration).serialize());
  }

  /** Tokens for messages to each member alone, by service id. */
  tokens(account, given) {
    const { members, endorsements, expiration } = this.#received(account, given);
    return new Map(members.map((member, i) => [this.serviceId(member.serialize()),
      base64(endorsements[i].toFullToken(this.secret, expiration).serialize())]));
  }

  /** The invite link, as the apps write it. */
  async link() {
    return this.#linkWith((await this.current()).inviteLinkPassword);
  }

  #linkWith(password) {
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
  constructor({ server, version, protobufs }) {
    Object.assign(this, { server, version, protobufs });
  }

  #find({ publicKey }) {
    const group = this.server.groups.get(base64(publicKey));
    if (!group) throw new Error(`the mock has no group ${hex(publicKey)}`);
    return group;
  }

  stateOf(group) {
    const encoded = this.protobufs.Group.encode(this.#find(group).state);
    return proto.Group.decode(Buffer.from(this.version === 15 ? encoded.finish() : encoded));
  }

  change(group, editor, actions) {
    const bytes = Buffer.from(proto.GroupChange.Actions.encode(actions));
    const { UuidCiphertext } = this.server.harnessLibrary;
    const user = group.userOf(editor);
    const { conflict, signedChange } = this.#find(group).modify(new UuidCiphertext(Buffer.from(user.aci, 'hex')),
      new UuidCiphertext(Buffer.from(user.pni, 'hex')), this.protobufs.GroupChange.Actions.decode(bytes));
    if (conflict) throw new Refusal(409, 'conflict');
    return { ...signedChange };
  }

  avatar = () => undefined;
}
