'use strict'
// Decode, identity, encode with JSON; prints the microseconds of processor time a message.

const fs = require('node:fs')

const run = (message) => message
const data = fs.readFileSync(0)
const rounds = Number(process.argv[2])
let count = 0
const begun = process.cpuUsage()
for (let round = 0; round < rounds; round++) {
  const messages = JSON.parse(data.toString())
  const encoded = messages.map((message) => JSON.stringify(run(message))).join(',\n')
  Buffer.from(encoded)
  count += messages.length
}
const used = process.cpuUsage(begun)
console.log((used.user + used.system) / count)
