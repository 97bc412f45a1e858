'use strict'
// `node filter_lines.js INPUT OUTPUT`: lines in, modules/stage.js, lines out; reads and writes as the node host does.

const fs = require('node:fs')
const net = require('node:net')
const run = require('../modules/stage.js')

const output = fs.openSync(process.argv[3], 'w')
const buffer = Buffer.allocUnsafeSlow(256 << 10)
let rest = ''

function take(size) {
  const text = rest + buffer.latin1Slice(0, size) // the messages are ASCII
  const end = text.lastIndexOf('\n')
  rest = text.slice(end + 1)
  if (end < 0) return true
  const messages = JSON.parse(`[${text.slice(0, end).replaceAll('\n', ',')}]`)
  const bytes = Buffer.from(`${messages.map((message) => JSON.stringify(run(message))).join('\n')}\n`, 'latin1')
  for (let at = 0; at < bytes.length;) at += fs.writeSync(output, bytes, at)
  return true
}

const socket = new net.Socket({ fd: fs.openSync(process.argv[2], 'r'), readable: true, writable: false, onread: { buffer, callback: take } })
socket.on('end', () => process.exit(0))
socket.resume()
