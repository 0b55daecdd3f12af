// What the official library does with groups' keys, credentials and endorsements, both as a client and as the service,
// for the vectors and for the live tests.
import { Pni, ServiceId } from '@signalapp/libsignal-client';
import * as Native from '@signalapp/libsignal-client/dist/Native.js';
import {
  AuthCredentialPresentation, AuthCredentialWithPni, AuthCredentialWithPniResponse, ClientZkAuthOperations,
  ClientZkGroupCipher, ClientZkProfileOperations, ExpiringProfileKeyCredential,
  ExpiringProfileKeyCredentialResponse, GroupMasterKey, GroupPublicParams, GroupSecretParams,
  GroupSendDerivedKeyPair, GroupSendEndorsement, GroupSendEndorsementsResponse, GroupSendFullToken,
  NotarySignature, ProfileKey, ProfileKeyCiphertext, ProfileKeyCommitment, ProfileKeyCredentialPresentation,
  ProfileKeyCredentialRequest, ProfileKeyCredentialRequestContext, ServerPublicParams, ServerSecretParams,
  ServerZkAuthOperations, ServerZkProfileOperations, UuidCiphertext,
} from '@signalapp/libsignal-client/zkgroup.js';
import { aciOf, answering, date, hex, out, unhex } from '../official/lines.mjs';

const pniOf = (text) => Pni.parseFromServiceIdString(text);
const idOf = (text) => ServiceId.parseFromServiceIdString(text);

// The last values made of some bytes, since tests use the same ones many times.
function cached(make) {
  const known = new Map();
  return (text) => {
    if (!known.has(text)) {
      if (known.size > 50) known.clear();
      known.set(text, make(unhex(text)));
    }
    return known.get(text);
  };
}
const group = cached((bytes) => GroupSecretParams.deriveFromMasterKey(new GroupMasterKey(bytes)));
const cipher = (master) => new ClientZkGroupCipher(group(master));
const secretParams = cached((bytes) => new ServerSecretParams(bytes));
const publicParams = cached((bytes) => new ServerPublicParams(bytes));
const groupPublic = cached((bytes) => new GroupPublicParams(bytes));

export const operations = {
  generateGroup: ({ random }) => ({ master: out(GroupSecretParams.generateWithRandom(unhex(random)).getMasterKey()) }),
  group({ master }) {
    const secret = group(master);
    const open = secret.getPublicParams();
    return { secret: out(secret), public: out(open), id: out(open.getGroupIdentifier()) };
  },
  encryptServiceId: ({ master, id }) => ({ encrypted: out(cipher(master).encryptServiceId(idOf(id))) }),
  decryptServiceId: ({ master, encrypted }) =>
    ({ id: cipher(master).decryptServiceId(new UuidCiphertext(unhex(encrypted))).getServiceIdString() }),
  encryptProfileKey: ({ master, key, aci }) =>
    ({ encrypted: out(cipher(master).encryptProfileKey(new ProfileKey(unhex(key)), aciOf(aci))) }),
  decryptProfileKey: ({ master, encrypted, aci }) =>
    ({ key: out(cipher(master).decryptProfileKey(new ProfileKeyCiphertext(unhex(encrypted)), aciOf(aci))) }),
  encryptBlob: ({ master, random, plaintext, padding }) => ({
    encrypted: hex(Native.GroupSecretParams_EncryptBlobWithPaddingDeterministic(
      group(master).getContents(), unhex(random), unhex(plaintext), padding)),
  }),
  decryptBlob: ({ master, encrypted }) => ({ plaintext: hex(cipher(master).decryptBlob(unhex(encrypted))) }),

  generateServer({ random }) {
    const secret = ServerSecretParams.generateWithRandom(unhex(random));
    return { secret: out(secret), public: out(secret.getPublicParams()) };
  },
  sign: ({ secret, random, message }) =>
    ({ signature: out(secretParams(secret).signWithRandom(unhex(random), unhex(message))) }),
  verifySignature({ public: open, message, signature }) {
    publicParams(open).verifySignature(unhex(message), new NotarySignature(unhex(signature)));
    return {};
  },

  issueAuth: ({ secret, random, aci, pni, time }) => ({
    response: out(new ServerZkAuthOperations(secretParams(secret))
      .issueAuthCredentialWithPniZkcWithRandom(unhex(random), aciOf(aci), pniOf(pni), time)),
  }),
  issueAuthWithoutPni: ({ secret, random, aci, salt, time }) => ({
    response: out(new ServerZkAuthOperations(secretParams(secret))
      .issueAuthCredentialZkcWithoutPniWithRandom(unhex(random), aciOf(aci), unhex(salt), time)),
  }),
  receiveAuth: ({ public: open, aci, pni, time, response }) => ({
    credential: out(new ClientZkAuthOperations(publicParams(open)).receiveAuthCredentialWithPniAsServiceId(
      aciOf(aci), pniOf(pni), time, new AuthCredentialWithPniResponse(unhex(response)))),
  }),
  receiveAuthWithoutPni: ({ public: open, aci, salt, time, response }) => ({
    credential: out(new ClientZkAuthOperations(publicParams(open)).receiveAuthCredentialWithoutPni(
      aciOf(aci), unhex(salt), time, new AuthCredentialWithPniResponse(unhex(response)))),
  }),
  presentAuth: ({ public: open, random, master, credential }) => ({
    presentation: out(new ClientZkAuthOperations(publicParams(open)).createAuthCredentialWithPniPresentationWithRandom(
      unhex(random), group(master), new AuthCredentialWithPni(unhex(credential)))),
  }),
  verifyAuth({ secret, group: open, presentation, now }) {
    const parsed = new AuthCredentialPresentation(unhex(presentation));
    new ServerZkAuthOperations(secretParams(secret))
      .verifyAuthCredentialPresentation(groupPublic(open), parsed, date(now));
    return {
      aci: out(parsed.getUuidCiphertext()), pni: out(parsed.getPniCiphertext()),
      time: parsed.getRedemptionTime().getTime() / 1000,
    };
  },

  commitment: ({ key, aci }) => ({ commitment: out(new ProfileKey(unhex(key)).getCommitment(aciOf(aci))) }),
  requestProfile({ public: open, random, aci, key }) {
    const context = new ClientZkProfileOperations(publicParams(open))
      .createProfileKeyCredentialRequestContextWithRandom(unhex(random), aciOf(aci), new ProfileKey(unhex(key)));
    return { context: out(context), request: out(context.getRequest()) };
  },
  issueProfile: ({ secret, random, request, aci, commitment, expires }) => ({
    response: out(new ServerZkProfileOperations(secretParams(secret)).issueExpiringProfileKeyCredentialWithRandom(
      unhex(random), new ProfileKeyCredentialRequest(unhex(request)), aciOf(aci),
      new ProfileKeyCommitment(unhex(commitment)), expires)),
  }),
  receiveProfile: ({ public: open, context, response, now }) => ({
    credential: out(new ClientZkProfileOperations(publicParams(open)).receiveExpiringProfileKeyCredential(
      new ProfileKeyCredentialRequestContext(unhex(context)), new ExpiringProfileKeyCredentialResponse(unhex(response)),
      date(now))),
  }),
  presentProfile: ({ public: open, random, master, credential }) => ({
    presentation: out(new ClientZkProfileOperations(publicParams(open))
      .createExpiringProfileKeyCredentialPresentationWithRandom(
        unhex(random), group(master), new ExpiringProfileKeyCredential(unhex(credential)))),
  }),
  verifyProfile({ secret, group: open, presentation, now }) {
    const parsed = new ProfileKeyCredentialPresentation(unhex(presentation));
    new ServerZkProfileOperations(secretParams(secret))
      .verifyProfileKeyCredentialPresentation(groupPublic(open), parsed, date(now));
    return {};
  },
  presentationCiphertexts({ presentation }) {
    const parsed = new ProfileKeyCredentialPresentation(unhex(presentation));
    return { user: out(parsed.getUuidCiphertext()), profileKey: out(parsed.getProfileKeyCiphertext()) };
  },

  endorsementKey: ({ secret, expires }) =>
    ({ key: out(GroupSendDerivedKeyPair.forExpiration(date(expires), secretParams(secret))) }),
  issueEndorsements: ({ key, random, members }) => ({
    response: out(GroupSendEndorsementsResponse.issueWithRandom(
      members.map((member) => new UuidCiphertext(unhex(member))), new GroupSendDerivedKeyPair(unhex(key)),
      unhex(random))),
  }),
  receiveEndorsements({ public: open, master, response, members, self, now }) {
    const parsed = new GroupSendEndorsementsResponse(unhex(response));
    const { endorsements, combinedEndorsement } = parsed.receiveWithServiceIds(
      members.map(idOf), idOf(self), group(master), publicParams(open), date(now));
    const expires = parsed.getExpiration().getTime() / 1000;
    return { expires, members: endorsements.map(out), combined: out(combinedEndorsement) };
  },
  combine: ({ endorsements }) => ({
    combined: out(GroupSendEndorsement.combine(endorsements.map((each) => new GroupSendEndorsement(unhex(each))))),
  }),
  remove: ({ from, unwanted }) =>
    ({ left: out(new GroupSendEndorsement(unhex(from)).byRemoving(new GroupSendEndorsement(unhex(unwanted)))) }),
  token: ({ endorsement, master, expires }) =>
    ({ token: out(new GroupSendEndorsement(unhex(endorsement)).toFullToken(group(master), date(expires))) }),
  verifyToken({ token, members, key, now }) {
    new GroupSendFullToken(unhex(token)).verify(members.map(idOf), new GroupSendDerivedKeyPair(unhex(key)), date(now));
    return {};
  },
};

export const ask = answering(operations);
