'use strict'
// `chain LENGTH COUNT WARM`: function nodes, a thousand messages under way; prints what the meter says.
// `update COUNT RATE`: the code of a function node is deployed again in the middle; prints how many messages came.

const fs = require('fs')
const os = require('os')
const path = require('path')
const http = require('http')
const RED = require('node-red')
const { readings } = require('../modules/source.js')
const meter = require('../modules/meter.js')

const AT_ONCE = 1000
const [what, ...numbers] = process.argv.slice(2)
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-'))
const shared = {}

function finish(value) {
  fs.rmSync(folder, { recursive: true, force: true })
  fs.writeSync(1, JSON.stringify(value) + '\n')
  process.exit()
}

function call(id, code, next, more = {}) {
  const wires = next ? [[next]] : [[]]
  return { id, z: 'tab', type: 'function', name: id, x: 0, y: 0, func: code, outputs: 1, wires, noerr: 0, ...more }
}

async function begin(nodes) {
  const flows = [{ id: 'tab', type: 'tab', label: 'bench' }, ...nodes]
  fs.writeFileSync(path.join(folder, 'flows.json'), JSON.stringify(flows))
  RED.init(http.createServer(), {
    userDir: folder, flowFile: 'flows.json', httpAdminRoot: false, httpNodeRoot: false, disableEditor: true,
    functionGlobalContext: { shared }, logging: { console: { level: 'off' } },
  })
  await RED.start()
  await begun
}

const START = { initialize: 'global.get("shared").begun((payload) => node.send({ payload }))' }
const begun = new Promise((resolve) => {
  shared.begun = (feed) => {
    shared.feed = feed
    resolve()
  }
})

async function chain(length, count, warm) {
  const source = readings(count)
  let underWay = 0
  meter.start({ config: { count, warm } })
  const fill = () => {
    for (let next; underWay < AT_ONCE && !(next = source.next()).done;) {
      underWay++
      shared.feed(next.value)
    }
  }
  shared.take = (message) => {
    const value = meter(message)
    if (value !== undefined) finish(value)
    if (--underWay === 0) setImmediate(fill)
  }
  const nodes = [call('source', '', 'stage1', START)]
  for (let number = 1; number < length; number++) {
    const next = number + 1 < length ? `stage${number + 1}` : 'meter'
    nodes.push(call(`stage${number}`, 'msg.payload.value += 1; return msg', next))
  }
  nodes.push(call('meter', 'global.get("shared").take(msg.payload)', null))
  await begin(nodes)
  fill()
}

async function update(count, rate) {
  let sent = 0
  let came = 0
  let quiet
  const done = () => finish({ sent, came })
  shared.take = () => {
    came++
    clearTimeout(quiet)
    quiet = setTimeout(done, 1000)
  }
  const work = (version) => [
    call('source', '', 'work', START),
    call('work', `setTimeout(() => node.send(msg), 20) // ${version}`, 'meter'),
    call('meter', 'global.get("shared").take(msg.payload)', null),
  ]
  const tab = { id: 'tab', type: 'tab', label: 'bench' }
  await begin(work(1))
  const start = Date.now()
  const timer = setInterval(() => {
    const due = Math.min(count, ((Date.now() - start) * rate) / 1000)
    while (sent < due) {
      sent++
      shared.feed(sent)
      if (sent === Math.floor(count / 2)) {
        RED.runtime.flows.setFlows({ deploymentType: 'nodes', flows: { flows: [tab, ...work(2)] } })
      }
    }
    if (sent === count) clearInterval(timer)
  }, 1)
}

const run = what === 'chain' ? chain : update
run(...numbers.map(Number)).catch((error) => {
  console.error(error)
  process.exit(1)
})
