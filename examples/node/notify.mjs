#!/usr/bin/env node
// notify.mjs NUMBER TEXT [FILE...]: sends a text, and files.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { connect } from './signalbox.mjs'

const [recipient, message, ...files] = process.argv.slice(2)
const attachments = []
for (const file of files) {
  attachments.push({ filename: basename(file), base64Data: (await readFile(file)).toString('base64') })
}

const box = await connect()
try {
  await box.call('send_message', {
    recipient,
    dataMessage: { message, attachments },
    // The key lets the send be repeated after a timeout; queue lets it wait while there is no network.
    idempotencyKey: randomUUID(),
    queue: { ttlSeconds: 86400 },
  })
} catch (error) {
  console.error('not sent:', error.message)
  process.exitCode = 1
} finally {
  box.close()
}
