// Groups on a service that is spoken to over the wire: what a member of one can ask and change there, with the official
// library's credentials and presentations (storage-service controllers/GroupsController, as the apps call it).
import * as zk from '@signalapp/libsignal-client/zkgroup.js';
import { basic } from './chat.mjs';
import { hex, proto, Refusal } from './grouprules.mjs';

const mediaType = 'application/x-protobuf';
const boundary = 'the-next-part-of-the-form';

export class RemoteGroups {
  viewers = new Map(); // group id → the account that saw it last
  tokens = new Map(); // group id → account → what it has of endorsements
  byId = new Map(); // groups, as MemberGroup

  constructor(backend) {
    this.backend = backend;
  }

  get publicParams() {
    return this.backend.zkParams;
  }

  async #call(group, account, method, path = '', body) {
    const presentation = new zk.ClientZkAuthOperations(this.publicParams)
      .createAuthCredentialWithPniPresentation(group.secret, await account.primary.authCredential());
    return this.backend.rest.call(method, `${this.backend.storageUrl}/v2/groups${path}`, { body,
      headers: { authorization: basic(hex(group.publicKey), hex(presentation.serialize())), 'content-type': mediaType } });
  }

  async #must(...args) {
    const answer = await this.#call(...args);
    if (answer.status !== 200) throw new Refusal(answer.status, `groups: ${args[2]} ${args[3] ?? ''}: ${answer.status}`);
    return answer.body;
  }

  /** The group as somebody who may see it gets it. */
  async #response(group) {
    const first = this.viewers.get(group.id);
    const all = [...this.backend.accounts.values()].filter((account) => account.registered && account !== first);
    for (const account of first?.registered ? [first, ...all] : all) {
      const { status, body } = await this.#call(group, account, 'GET');
      if (status === 404) break;
      if (status !== 200) continue;
      this.viewers.set(group.id, account);
      return proto.GroupResponse.decode(body);
    }
    throw new Refusal(404, 'no such group, or nobody here may see it');
  }

  async stateOf(group) {
    return (await this.#response(group)).group;
  }

  async createGroup(group, creator, state) {
    await this.#must(group, creator, 'PUT', '', Buffer.from(proto.Group.encode(state)));
    this.viewers.set(group.id, creator);
  }

  /** Answers the signed change; throws a Refusal, 409 where somebody was faster. */
  async change(group, editor, actions, password) {
    const query = password ? `?inviteLinkPassword=${Buffer.from(password).toString('base64url')}` : '';
    const body = await this.#must(group, editor, 'PATCH', query, Buffer.from(proto.GroupChange.Actions.encode(actions)));
    return proto.GroupChangeResponse.decode(body).groupChange;
  }

  async presentation(group, account) {
    return new zk.ClientZkProfileOperations(this.publicParams).createExpiringProfileKeyCredentialPresentation(
      group.secret, await account.primary.profileCredential()).serialize();
  }

  /** Endorsements of a group's members for one of them; undefined for who is none. */
  async endorsements(group, account) {
    const { status, body } = await this.#call(group, account, 'GET');
    if (status !== 200) return undefined;
    const { group: state, groupSendEndorsementsResponse: bytes } = proto.GroupResponse.decode(body);
    return bytes?.length ? { state, bytes } : undefined;
  }

  /** A token for a message to one member, by another; undefined where one of the two is none. */
  async tokenFor(id, account, to) {
    const group = this.byId.get(id);
    if (!group) return undefined;
    if (!this.tokens.has(id)) this.tokens.set(id, new Map());
    const mine = this.tokens.get(id);
    const known = mine.get(account)?.get(to.aci);
    if (known) return known;
    const endorsements = await this.endorsements(group, account);
    mine.set(account, endorsements ? group.tokens(account, endorsements) : new Map());
    return mine.get(account).get(to.aci);
  }

  async putAvatar(group, editor, bytes) {
    const form = proto.AvatarUploadAttributes.decode(await this.#must(group, editor, 'GET', '/avatar/form'));
    const fields = [['key', form.key], ['acl', form.acl], ['Content-Type', 'application/octet-stream'],
      ['x-amz-algorithm', form.algorithm], ['x-amz-credential', form.credential], ['x-amz-date', form.date],
      ['policy', form.policy], ['x-amz-signature', form.signature]];
    const parts = fields.map(([name, value]) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`).join('');
    const file = `--${boundary}\r\nContent-Disposition: form-data; name="file"\r\n`
      + 'Content-Type: application/octet-stream\r\n\r\n';
    await this.backend.rest.must('POST', `${this.backend.cdnUrls[0]}/`, {
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: Buffer.concat([Buffer.from(parts + file), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]) });
    return form.key;
  }

  async avatar(key) {
    if (!key) return undefined;
    const { status, body } = await this.backend.rest.call('GET', `${this.backend.cdnUrls[0]}/${key}`);
    return status === 200 ? body : undefined;
  }
}
