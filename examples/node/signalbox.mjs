// A client of signalbox in a page of JavaScript, without any package.
//
//   const box = await connect()
//   await box.call('send_message', { recipient: '+12025550101', dataMessage: { message: 'Hello' } })
//   box.close()

import net from 'node:net'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** A reply whose statusCode is not 0. */
export class Failure extends Error {
  constructor(reply) {
    super(reply.errorMessage)
    this.reply = reply
  }
}

/** Connects. Commands of a connection are answered in their order. */
export async function connect({ host = 'localhost', port = process.env.SIGNALBOX_PORT ?? 6789 } = {}) {
  const socket = net.connect({ host, port: Number(port) })
  await once(socket, 'connect')
  const lines = createInterface({ input: socket, crlfDelay: Infinity })[Symbol.asyncIterator]()
  let last = Promise.resolve()

  async function ask(request) {
    socket.write(JSON.stringify(request) + '\n')
    const { value, done } = await lines.next()
    if (done) throw new Error('signalbox has closed the connection')
    const reply = JSON.parse(value)
    if (reply.statusCode !== 0) throw new Failure(reply)
    return reply
  }

  /** Runs a command, and answers its reply. */
  function call(command, fields = {}) {
    const reply = last.then(() => ask({ command, ...fields }))
    last = reply.catch(() => {})
    return reply
  }

  /** Yields messages as they come. Each is acknowledged when the next is asked for: one that fails comes again. */
  async function* messages(types = ['message']) {
    while (true) {
      const reply = await call('receive_messages', { timeout: -1, ack: 'manual', maxMessages: 1, types })
      for (const message of reply.messages) {
        yield message
        await call('ack_messages', { ids: [message.id] })
      }
    }
  }

  return { call, messages, close: () => socket.end() }
}
