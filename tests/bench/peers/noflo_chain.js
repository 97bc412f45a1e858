'use strict'
// `LENGTH COUNT WARM`: components of a NoFlo graph; a thousand messages under way.

const noflo = require('noflo')
const { readings } = require('../modules/source.js')
const stage = require('../modules/stage.js')
const meter = require('../modules/meter.js')

const AT_ONCE = 1000
const [length, count, warm] = process.argv.slice(2).map(Number)
meter.start({ config: { count, warm } })
const source = readings(count)
let underWay = 0
let feed

function component(act) {
  const made = new noflo.Component({ inPorts: { in: {} }, outPorts: { out: {} } })
  return made.process((input, output) => {
    const value = act(input.getData('in'))
    if (value === undefined) output.done()
    else output.sendDone({ out: value })
  })
}

function end(message) {
  const value = meter(message)
  if (value !== undefined) {
    console.log(JSON.stringify(value))
    process.exit()
  }
  if (--underWay === 0) setImmediate(fill)
}

function fill() {
  for (let next; underWay < AT_ONCE && !(next = source.next()).done;) {
    underWay++
    feed.post(new noflo.IP('data', next.value))
  }
}

async function main() {
  const loader = new noflo.ComponentLoader(__dirname)
  await loader.listComponents()
  loader.registerComponent('bench', 'stage', () => component(stage))
  loader.registerComponent('bench', 'meter', () => component(end))
  const graph = new noflo.Graph('chain')
  for (let number = 1; number < length; number++) graph.addNode(`stage${number}`, 'bench/stage')
  graph.addNode('meter', 'bench/meter')
  for (let number = 1; number < length; number++) {
    const next = number + 1 < length ? `stage${number + 1}` : 'meter'
    graph.addEdge(`stage${number}`, 'out', next, 'in')
  }
  const network = await noflo.createNetwork(graph, { componentLoader: loader, subscribeGraph: false, delay: true })
  await network.connect()
  feed = noflo.internalSocket.createSocket()
  network.getNode('stage1').component.inPorts.in.attach(feed)
  await network.start()
  fill()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
