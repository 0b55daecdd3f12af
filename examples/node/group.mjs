#!/usr/bin/env node
// group.mjs TITLE TEXT: writes to the group of that title.

import { connect } from './signalbox.mjs'

const [title, message] = process.argv.slice(2)
const box = await connect()
const { groups } = await box.call('list_groups')
const group = groups.find((group) => group.title === title)
if (group) {
  await box.call('send_message', { groupId: group.groupId, dataMessage: { message } })
} else {
  console.error(`there is no group "${title}"`)
  process.exitCode = 1
}
box.close()
