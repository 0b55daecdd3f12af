// What the official library does with credentials of the generic kind, both as a client and as the service, for the
// vectors and for the live tests: those for call links have an encrypted attribute, and one that is blinded and then
// revealed; those for backups have only the latter. Both exist in the standard and in the legacy mode.
import {
  BackupAuthCredential, BackupAuthCredentialPresentation, BackupAuthCredentialRequest, BackupAuthCredentialRequestContext,
  BackupAuthCredentialResponse, CallLinkAuthCredential, CallLinkAuthCredentialPresentation, CallLinkAuthCredentialResponse,
  CallLinkPublicParams, CallLinkSecretParams, CreateCallLinkCredential, CreateCallLinkCredentialPresentation,
  CreateCallLinkCredentialRequest, CreateCallLinkCredentialRequestContext, CreateCallLinkCredentialResponse,
  GenericServerPublicParams, GenericServerSecretParams,
} from '@signalapp/libsignal-client/zkgroup.js';
import { aciOf, answering, date, out, unhex } from '../official/lines.mjs';

const secretOf = (text) => new GenericServerSecretParams(unhex(text));
const publicOf = (text) => new GenericServerPublicParams(unhex(text));
const linkOf = (root) => CallLinkSecretParams.deriveFromRootKey(unhex(root));

export const operations = {
  // The mode is the first byte of the parameters: 0 is legacy, 1 standard.
  generate({ random, mode }) {
    const bytes = GenericServerSecretParams.generateWithRandom(unhex(random)).serialize();
    bytes[0] = mode;
    const secret = new GenericServerSecretParams(bytes);
    return { secret: out(secret), public: out(secret.getPublicParams()) };
  },
  link: ({ root }) => ({ linkSecret: out(linkOf(root)), linkPublic: out(linkOf(root).getPublicParams()) }),

  issueAuth: ({ secret, random, aci, time }) => ({
    response: out(CallLinkAuthCredentialResponse.issueCredentialWithRandom(aciOf(aci), time, secretOf(secret), unhex(random))),
  }),
  receiveAuth: ({ public: open, aci, time, response }) => ({
    credential: out(new CallLinkAuthCredentialResponse(unhex(response)).receive(aciOf(aci), time, publicOf(open))),
  }),
  presentAuth: ({ public: open, random, aci, time, root, credential }) => ({
    presentation: out(new CallLinkAuthCredential(unhex(credential))
      .presentWithRandom(aciOf(aci), time, publicOf(open), linkOf(root), unhex(random))),
  }),
  verifyAuth({ secret, root, presentation, now }) {
    const parsed = new CallLinkAuthCredentialPresentation(unhex(presentation));
    parsed.verify(secretOf(secret), linkOf(root).getPublicParams(), date(now));
    return { user: out(parsed.getUserId()) };
  },

  requestCreate({ room, random }) {
    const context = CreateCallLinkCredentialRequestContext.forRoomIdWithRandom(unhex(room), unhex(random));
    return { context: out(context), request: out(context.getRequest()) };
  },
  issueCreate: ({ secret, random, request, aci, time }) => ({
    response: out(new CreateCallLinkCredentialRequest(unhex(request))
      .issueCredentialWithRandom(aciOf(aci), time, secretOf(secret), unhex(random))),
  }),
  receiveCreate: ({ public: open, context, response, aci }) => ({
    credential: out(new CreateCallLinkCredentialRequestContext(unhex(context))
      .receive(new CreateCallLinkCredentialResponse(unhex(response)), aciOf(aci), publicOf(open))),
  }),
  presentCreate: ({ public: open, random, room, aci, root, credential }) => ({
    presentation: out(new CreateCallLinkCredential(unhex(credential))
      .presentWithRandom(unhex(room), aciOf(aci), publicOf(open), linkOf(root), unhex(random))),
  }),
  verifyCreate({ secret, root, room, presentation, now }) {
    new CreateCallLinkCredentialPresentation(unhex(presentation))
      .verify(unhex(room), secretOf(secret), new CallLinkPublicParams(linkOf(root).getPublicParams().serialize()), date(now));
    return {};
  },

  requestBackup({ key, aci }) {
    const context = BackupAuthCredentialRequestContext.create(unhex(key), aci);
    return { context: out(context), request: out(context.getRequest()) };
  },
  issueBackup: ({ secret, random, request, level, type, time }) => ({
    response: out(new BackupAuthCredentialRequest(unhex(request))
      .issueCredentialWithRandom(time, level, type, secretOf(secret), unhex(random))),
  }),
  receiveBackup: ({ public: open, context, response, time }) => ({
    credential: out(new BackupAuthCredentialRequestContext(unhex(context))
      .receive(new BackupAuthCredentialResponse(unhex(response)), time, publicOf(open))),
  }),
  presentBackup: ({ public: open, random, credential }) => ({
    presentation: out(new BackupAuthCredential(unhex(credential)).presentWithRandom(publicOf(open), unhex(random))),
  }),
  verifyBackup({ secret, presentation, now }) {
    new BackupAuthCredentialPresentation(unhex(presentation)).verify(secretOf(secret), date(now));
    return {};
  },
};

export const ask = answering(operations);
