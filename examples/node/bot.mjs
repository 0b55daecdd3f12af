#!/usr/bin/env node
// bot.mjs: answers "ping" with "pong".

import { connect } from './signalbox.mjs'

const box = await connect()
for await (const message of box.messages()) {
  if (message.body !== 'ping') continue
  const to = message.groupId ? { groupId: message.groupId } : { recipient: message.senderUuid }
  // The message may come twice, after a crash; its answer leaves once.
  await box.call('send_message', { ...to, dataMessage: { message: 'pong' }, idempotencyKey: `pong-${message.id}` })
  console.log('answered')
}
