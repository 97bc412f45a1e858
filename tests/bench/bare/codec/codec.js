'use strict'
// Decode, identity, encode with JSON; prints the microseconds of processor time a message.

const fs = require('node:fs')

const run = (message) => message
const data = fs.readFileSync(0)
const rounds = Number(process.argv[2])
const count = JSON.parse(data).length
const again = (times) => {
  for (let round = 0; round < times; round++) {
    const messages = JSON.parse(data.toString())
    Buffer.from(messages.map((message) => JSON.stringify(run(message))).join(',\n'))
  }
}
again(rounds / 4)
const begun = process.cpuUsage()
again(rounds)
const used = process.cpuUsage(begun)
console.log((used.user + used.system) / (rounds * count))
