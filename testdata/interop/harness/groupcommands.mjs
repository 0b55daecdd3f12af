// The control line's commands for groups: made and changed by the accounts of the harness, looked at as the service has
// them. A group goes by its id in base64, as on signalbox's socket.
import { MemberGroup } from './groupclient.mjs';

const accountLists = ['add', 'addAdmins', 'invite', 'invitePni', 'revoke', 'revokePni', 'remove', 'promote', 'demote',
  'ban', 'unban', 'approve', 'deny', 'members', 'admins', 'invited', 'invitedPni'];

/** Names of accounts become accounts. */
function resolve(h, wishes) {
  return Object.fromEntries(Object.entries(wishes).map(([wish, value]) =>
    [wish, accountLists.includes(wish) ? value.map((name) => h.account(name)) : value]));
}

export const groupCommands = {
  createGroup: async (h, { account, announceTo, ...wishes }) => {
    const creator = h.account(account);
    const group = await h.createGroup(creator, resolve(h, wishes));
    if (announceTo) await announce(h, group, creator, announceTo, {});
    return { ...(await group.describe()), masterKey: group.masterKey.toString('base64') };
  },

  /** `announce` is how signalbox is told: by the signed change, by the revision alone, or (default) not at all. */
  changeGroup: async (h, { account, group: id, changes, announce: how, announceTo = 'me', link }) => {
    const editor = h.account(account);
    const password = link && MemberGroup.parseLink(link).password;
    const group = link ? h.learnGroup(MemberGroup.parseLink(link).masterKey) : h.group(id);
    const { change, revision } = await group.change(editor, resolve(h, changes), { password });
    if (how) await announce(h, group, editor, announceTo, how === 'change' ? { groupChange: change } : {});
    return { revision, change };
  },

  /** Retitles a group so many times: prefix0, prefix1, …; answers the last revision. */
  changeGroupMany: async (h, { account, group: id, count, prefix }) => {
    let state = await h.group(id).current();
    for (let i = 0; i < count; i++) {
      const { revision } = await h.group(id).change(h.account(account), { title: `${prefix}${i}` }, { state });
      state = { ...state, version: revision };
    }
    return { revision: state.version };
  },

  /** Queues changes that come in just before the next requests of others to change a group: those get a 409. */
  interpose: (h, { account, group: id, changes, times = 1 }) => {
    for (let i = 0; i < times; i++) {
      h.server.groupService.interposed.push(() => h.group(id).change(h.account(account), resolve(h, changes)));
    }
  },

  groupState: (h, { group: id }) => h.group(id).describe(),
  groupLink: async (h, { group: id }) => ({ link: await h.group(id).link() }),
  /** Falsifies: state, signature, endorsements, authCredential, profileCredential; or refuses a token; so many times. */
  forge: (h, { what, times }) => { h.server.groupService.forged.set(what, times); },
  forgetSenderKeys: (h, { account, with: other, device }) =>
    h.account(account).device(device).forgetSenderKeys(h.account(other).aci),
  newSenderKey: (h, { account, group: id, device }) => { h.account(account).device(device).groups.delete(id); },

  /** What a linked device of an account needs to send to everyone else in a group: their devices, and a token. */
  groupSending: async (h, { account, group: id }) => {
    const group = h.group(id);
    const self = h.account(account);
    const { members } = await group.current();
    return { groupId: id, context: await group.context(), token: await group.token(self),
      members: members.map(({ userId }) => h.backend.accounts.get(group.serviceId(userId)))
        .filter((member) => member !== self)
        .map((member) => ({ aci: member.aci, devices: member.serviceDevices().map(({ deviceId }) => deviceId) })) };
  },

  // The phone's storage service.
  storageGroups: async (h, { account }) => (await h.storageGroups(h.account(account))),
  setStorageGroup: (h, { account, group: id, fields }) => h.setStorageGroup(h.account(account), h.group(id), fields),
};

/** Tells an account of a change as the apps do: a sealed message of its own with the group's context and no body. */
async function announce(h, group, from, to, { groupChange }) {
  const timestamp = h.timestamp();
  const dataMessage = { timestamp, profileKey: from.profileKey.toString('base64'),
    groupV2: { ...(await group.context()), ...(groupChange ? { groupChange } : {}) } };
  await from.send(h.account(to), { dataMessage }, { timestamp, groupId: group.id });
}
