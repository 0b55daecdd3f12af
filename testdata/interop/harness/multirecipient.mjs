// PUT /v1/messages/multi_recipient as Signal-Server has it (controllers/MessageController): one sealed message for the
// devices of many, allowed by an endorsement token for exactly these recipients. The newer mock has it as a gRPC call
// only, and neither mock looks at the token. Each upload is an event, so that tests can count them.
import { createRequire } from 'node:module';
import { Aci, ServiceId } from '@signalapp/libsignal-client';
import SealedSenderMultiRecipientMessage from '@signalapp/libsignal-client/dist/SealedSenderMultiRecipientMessage.js';
import { EnvelopeType } from './content.mjs';
import { cut } from './faults.mjs';
import { headerOf } from './headers.mjs';

const require = createRequire(import.meta.url);
const { $services: services } = require('mock-server-27/protos/compiled.js');
export const grpcPath = '/org.signal.chat.messages.MessagesAnonymous/SendMultiRecipientMessage';

function parse(payload) {
  const message = new SealedSenderMultiRecipientMessage(Buffer.from(payload));
  return Object.entries(message.recipientsByServiceIdString()).map(([serviceId, recipient]) => ({ serviceId,
    messages: recipient.deviceIds.map((deviceId, i) => ({
      type: EnvelopeType.UNIDENTIFIED_SENDER,
      destinationDeviceId: deviceId,
      destinationRegistrationId: recipient.registrationIds[i],
      content: Buffer.from(message.messageForRecipient(recipient)).toString('base64'),
    })) }));
}

export class MultiRecipient {
  constructor({ server, groups }) {
    this.server = server;
    this.groups = groups;
  }

  /** Answers { status, mismatched, stale, unknown }. */
  async send({ payload, token, timestamp, identified, online, urgent }) {
    const report = (result, recipients = []) => {
      this.server.emit('multiRecipient', { status: result.status, bytes: payload.length, timestamp: Number(timestamp),
        identified: Boolean(identified), online: Boolean(online), urgent, recipients: recipients.length,
        devices: recipients.reduce((sum, { messages }) => sum + messages.length, 0) });
      return result;
    };
    let recipients;
    try {
      recipients = parse(payload);
    } catch (error) {
      return report({ status: 400, error: error.message });
    }
    if (recipients.length === 0) return report({ status: 400, error: 'no recipients' });
    const ids = recipients.map(({ serviceId }) => ServiceId.parseFromServiceIdString(serviceId));
    if (!token || !this.groups.verifyToken(ids, token)) return report({ status: 401 }, recipients);
    return report(await this.#deliver(recipients, timestamp), recipients);
  }

  async #deliver(recipients, timestamp) {
    const prepared = await Promise.all(recipients.map(async ({ serviceId, messages }) => ({ serviceId,
      ...(await this.server.prepareMultiDeviceMessage(undefined, serviceId, messages, timestamp)) })));
    const mismatched = prepared.filter(({ status }) => status === 'incomplete');
    const stale = prepared.filter(({ status }) => status === 'stale');
    const unknown = prepared.filter(({ status }) => status === 'unknown').map(({ serviceId }) => serviceId);
    if (mismatched.length || stale.length) return { status: mismatched.length ? 409 : 410, mismatched, stale };
    for (const { targetServiceId, result } of prepared.filter(({ status }) => status === 'ok')) {
      await this.server.handlePreparedMultiDeviceMessage(undefined, targetServiceId, result);
    }
    return { status: 200, unknown };
  }

  /** The call over the websocket; answers status and JSON. */
  async rest(request, device) {
    const url = new URL(request.path, 'http://localhost');
    const timestamp = url.searchParams.get('ts');
    if (!timestamp || !request.body) return [400, { error: 'ts or body is missing' }];
    const sent = await this.send({ payload: request.body, token: headerOf(request, 'group-send-token'),
      timestamp: Number(timestamp), identified: device !== undefined,
      online: url.searchParams.get('online') === 'true', urgent: url.searchParams.get('urgent') !== 'false' });
    switch (sent.status) {
      case 200:
        return [200, { uuids404: sent.unknown }];
      case 409:
        return [409, sent.mismatched.map(({ serviceId, missingDevices, extraDevices }) =>
          ({ uuid: serviceId, devices: { missingDevices, extraDevices } }))];
      case 410:
        return [410, sent.stale.map(({ serviceId, staleDevices }) => ({ uuid: serviceId, devices: { staleDevices } }))];
      default:
        return [sent.status, { error: sent.error ?? 'not allowed' }];
    }
  }

  /** The same call in gRPC. */
  async grpc(req, res) {
    const { Request, Response } = services[grpcPath.slice(1)];
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const { message, groupSendToken } = Request.decode(Buffer.concat(chunks).subarray(5));
    const { payload, timestamp } = message;
    const sent = await this.send({ payload: Buffer.from(payload), timestamp: Number(timestamp),
      token: Buffer.from(groupSendToken ?? []).toString('base64'), urgent: message.urgent,
      online: message.ephemeral, identified: req.headers.authorization !== undefined });
    if (this.server.faults.match('answer', req.method, grpcPath)) return cut(req, res);
    const body = Response.encode({ response: grpcOutcome(sent) });
    const frame = Buffer.alloc(5);
    frame.writeUInt32BE(body.length, 1);
    res.writeHead(200, { 'content-type': 'application/grpc' });
    res.addTrailers({ 'grpc-status': '0' });
    return res.end(Buffer.concat([frame, body]));
  }
}

function identifier(serviceId) {
  const parsed = ServiceId.parseFromServiceIdString(serviceId);
  return { identityType: parsed instanceof Aci ? 1 : 2, uuid: parsed.getRawUuidBytes() };
}

function grpcOutcome({ status, mismatched = [], stale = [], unknown = [] }) {
  if (status === 200) return { success: { unresolvedRecipients: unknown.map(identifier) } };
  if (status === 401) return { failedUnidentifiedAuthorization: { description: 'token' } };
  return { mismatchedDevices: { mismatchedDevices: [...mismatched, ...stale].map((one) => ({
    serviceIdentifier: identifier(one.serviceId), missingDevices: one.missingDevices ?? null,
    extraDevices: one.extraDevices ?? null, staleDevices: one.staleDevices ?? null })) } };
}
