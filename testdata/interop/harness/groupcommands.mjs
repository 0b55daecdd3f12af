// The control line's commands for groups: made and changed by the accounts of the harness, looked at as the service has
// them, and spoilt where a test wants that. A group goes by its id in base64, as on signalbox's socket.
import { flip } from './groupservice.mjs';
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
    return { ...group.describe(), masterKey: group.masterKey.toString('base64') };
  },

  /** `announce` is how signalbox is told: by the signed change, by the revision alone, or (default) not at all. */
  changeGroup: async (h, { account, group: id, changes, announce: how, announceTo = 'me', link }) => {
    const editor = h.account(account);
    const password = link && MemberGroup.parseLink(link).password;
    const group = link ? h.learnGroup(MemberGroup.parseLink(link).masterKey) : h.group(id);
    const { change, revision } = group.change(editor, resolve(h, changes), password);
    if (how) await announce(h, group, editor, announceTo, how === 'change' ? { groupChange: change } : {});
    return { revision, change };
  },

  /** Retitles a group so many times: prefix0, prefix1, …; answers the last revision. */
  changeGroupMany: (h, { account, group: id, count, prefix }) => {
    for (let i = 0; i < count; i++) h.group(id).change(h.account(account), { title: `${prefix}${i}` });
    return { revision: h.group(id).state.version };
  },

  /** Queues changes that come in just before the next requests of others to change a group: those get a 409. */
  interpose: (h, { account, group: id, changes, times = 1 }) => {
    for (let i = 0; i < times; i++) {
      h.server.groupService.interposed.push(() => h.group(id).change(h.account(account), resolve(h, changes)));
    }
  },

  groupState: (h, { group: id }) => h.group(id).describe(),
  groupLog: (h, { group: id }) => h.server.groupService.find(h.group(id).publicKey).log.map(({ state }) =>
    h.group(id).describe(state)),
  groupLink: (h, { group: id }) => ({ link: h.group(id).link() }),
  learnLink: (h, { link }) => ({ id: h.learnGroup(MemberGroup.parseLink(link).masterKey).id }),

  /** Falsifies: state, signature, endorsements, authCredential, profileCredential; or refuses a token; so many times. */
  forge: (h, { what, times }) => { h.server.groupService.forged.set(what, times); },
  /** Spoils what the service stores: an encrypted title nobody can read, a member who is nobody. */
  spoilGroup: (h, { group: id, fields }) => {
    const { log } = h.server.groupService.find(h.group(id).publicKey);
    const { state } = log.at(-1);
    log.at(-1).state = { ...state, ...Object.fromEntries(fields.map((name) => [name, flip(state[name])])) };
  },
  forgetGroup: (h, { group: id }) => { h.server.groupService.forget(h.group(id).publicKey); },

  forgetSenderKeys: (h, { account, with: other, device }) =>
    h.account(account).device(device).forgetSenderKeys(h.account(other).aci),
  newSenderKey: (h, { account, group: id, device }) => { h.account(account).device(device).groups.delete(id); },

  /** What a linked device of an account needs to send to everyone else in a group: their devices, and a token. */
  groupSending: (h, { account, group: id }) => {
    const group = h.group(id);
    const self = h.account(account);
    return { groupId: id, context: group.context(), token: group.token(self),
      members: group.state.members.map(({ userId }) => h.backend.accounts.get(group.serviceId(userId)))
        .filter((member) => member !== self)
        .map((member) => ({ aci: member.aci, devices: member.mockDevices().map(({ deviceId }) => deviceId) })) };
  },

  // The phone's storage service.
  storageGroups: async (h, { account }) => (await h.storageGroups(h.account(account))),
  setStorageGroup: (h, { account, group: id, fields }) => h.setStorageGroup(h.account(account), h.group(id), fields),
};

/** Tells an account of a change as the apps do: a sealed message of its own with the group's context and no body. */
async function announce(h, group, from, to, { groupChange }) {
  const timestamp = h.timestamp();
  const dataMessage = { timestamp, profileKey: from.profileKey.toString('base64'),
    groupV2: { ...group.context(), ...(groupChange ? { groupChange } : {}) } };
  await from.send(h.account(to), { dataMessage }, { timestamp, groupId: group.id });
}
