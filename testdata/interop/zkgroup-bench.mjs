// What the official library takes for each operation of zkgroup through Node, over objects that are parsed already, as
// the benchmarks of signalcore/protocol/zkgroup have them. Prints JSON: microseconds each, by the names of those.
import { randomBytes, randomUUID } from 'node:crypto';
import { Aci, Pni } from '@signalapp/libsignal-client';
import * as zk from '@signalapp/libsignal-client/zkgroup.js';

const rounds = Number(process.argv[2] ?? 200);
const day = 86_400;
const time = day * 20_000;
const now = new Date((time - 2 * day) * 1000);
const expiration = new Date(time * 1000);

const spent = {};
function timed(what, operation, times = rounds) {
  let result = operation();
  const started = performance.now();
  for (let i = 0; i < times; i += 1) result = operation();
  spent[what] = Math.round(((performance.now() - started) / times) * 10_000) / 10;
  return result;
}

const secret = timed('GenerateServer', () => zk.ServerSecretParams.generate(), rounds / 10);
const open = secret.getPublicParams();
const openBytes = open.serialize();
timed('ParseServer', () => new zk.ServerPublicParams(openBytes));
const master = new zk.GroupMasterKey(randomBytes(32));
const group = timed('DeriveGroup', () => zk.GroupSecretParams.deriveFromMasterKey(master));
const publicGroup = group.getPublicParams();
const cipher = new zk.ClientZkGroupCipher(group);
const aci = Aci.fromUuid(randomUUID());
const pni = Pni.fromUuid(randomUUID());
const key = new zk.ProfileKey(randomBytes(32));

const user = timed('EncryptServiceID', () => cipher.encryptServiceId(aci));
timed('DecryptServiceID', () => cipher.decryptServiceId(user));
const encryptedKey = timed('EncryptProfileKey', () => cipher.encryptProfileKey(key, aci));
timed('DecryptProfileKey', () => cipher.decryptProfileKey(encryptedKey, aci));
const plaintext = randomBytes(1000);
const blob = timed('EncryptBlob', () => cipher.encryptBlob(plaintext));
timed('DecryptBlob', () => cipher.decryptBlob(blob));
const message = randomBytes(200);
const signature = timed('Sign', () => secret.sign(message));
timed('VerifySignature', () => open.verifySignature(message, signature));

const authServer = new zk.ServerZkAuthOperations(secret);
const authClient = new zk.ClientZkAuthOperations(open);
const issued = timed('IssueAuth', () => authServer.issueAuthCredentialWithPniZkc(aci, pni, time));
const credential = timed('ReceiveAuth',
  () => authClient.receiveAuthCredentialWithPniAsServiceId(aci, pni, time, issued));
const presentation = timed('PresentAuth', () => authClient.createAuthCredentialWithPniPresentation(group, credential));
timed('VerifyAuth', () => authServer.verifyAuthCredentialPresentation(publicGroup, presentation, expiration));

const profileServer = new zk.ServerZkProfileOperations(secret);
const profileClient = new zk.ClientZkProfileOperations(open);
const commitment = timed('Commitment', () => key.getCommitment(aci));
const context = timed('RequestProfile', () => profileClient.createProfileKeyCredentialRequestContext(aci, key));
const request = context.getRequest();
const response = timed('IssueProfile',
  () => profileServer.issueExpiringProfileKeyCredential(request, aci, commitment, time));
const profile = timed('ReceiveProfile',
  () => profileClient.receiveExpiringProfileKeyCredential(context, response, now));
const shown = timed('PresentProfile',
  () => profileClient.createExpiringProfileKeyCredentialPresentation(group, profile));
timed('VerifyProfile', () => profileServer.verifyProfileKeyCredentialPresentation(publicGroup, shown, now));

const members = Array.from({ length: 100 }, () => Aci.fromUuid(randomUUID()));
const ciphertexts = members.map((member) => cipher.encryptServiceId(member));
const keyPair = zk.GroupSendDerivedKeyPair.forExpiration(expiration, secret);
const endorsed = timed('IssueEndorsements100',
  () => zk.GroupSendEndorsementsResponse.issue(ciphertexts, keyPair), rounds / 10);
const received = timed('ReceiveEndorsements100',
  () => endorsed.receiveWithServiceIds(members, members[0], group, open, now), rounds / 10);
timed('CombineEndorsements100', () => zk.GroupSendEndorsement.combine(received.endorsements));
const token = timed('Token', () => received.combinedEndorsement.toFullToken(group, expiration));
timed('VerifyToken100', () => token.verify(members.slice(1), keyPair, now), rounds / 10);
process.stdout.write(`${JSON.stringify(spent)}\n`);
