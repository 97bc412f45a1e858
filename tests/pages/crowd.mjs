// `node --experimental-websocket crowd.mjs ADDRESS TOKEN FLOW CLIENTS SECONDS PER_S`: so many clients with the core of the browser's runner; the
// host of each is a thread. Every client sends PER_S messages a second from its module `ask`; its `show` gets the answers. Prints what came.

import { Worker, isMainThread, workerData, parentPort } from 'node:worker_threads'

if (isMainThread) await crowd(...process.argv.slice(2))
else await host()

async function host() {
  const texts = new WeakMap()
  globalThis.self = globalThis
  globalThis.addEventListener = () => {}
  const RealBlob = globalThis.Blob
  globalThis.Blob = class extends RealBlob { // node imports no blob: addresses
    constructor(parts, options) {
      super(parts, options)
      texts.set(this, parts.join(''))
    }
  }
  URL.createObjectURL = (blob) => `data:text/javascript,${encodeURIComponent(texts.get(blob))}`
  URL.revokeObjectURL = () => {}
  const late = []
  let sent = 0
  globalThis.took = (message) => late.push([message.n, performance.timeOrigin + performance.now() - message.at])
  const { begin } = await import('../../runtimes/browser/hosting.mjs')
  begin(workerData.port, () => process.exit())
  parentPort.on('message', (what) => {
    if (what === 'tick') globalThis.ask({ n: ++sent, at: performance.timeOrigin + performance.now() })
    else parentPort.postMessage({ sent, late })
  })
}

async function crowd(address, token, flow, clients, seconds, perS) {
  await import('../../runtimes/browser/platform.mjs')
  const { Runner } = await import('../../runtimes/browser/runner.mjs')
  const { Socket } = await import('../../runtimes/browser/socket.mjs')
  const encoder = new TextEncoder()
  const url = `${address.replace(/^http/, 'ws')}/join/${flow}`

  function client() {
    return new Promise((resolve) => {
      let socket
      let worker
      let key = ''
      let isJoined = false
      const runner = new Runner({
        send: (bytes) => (bytes === null ? socket.isOpen && isJoined && socket.buffered < 1 << 20 : isJoined && socket.send(bytes)),
        spawn() {
          const { port1, port2 } = new MessageChannel()
          worker = new Worker(new URL(import.meta.url), { workerData: { port: port1 }, transferList: [port1] })
          return Promise.resolve({ port: port2, kill: () => worker.terminate() })
        },
        tell(what) {
          if (what.session !== undefined) key = what.session
          if (what.flow !== undefined) resolve({ worker, socket })
          if (what.error !== undefined) console.error(what.error)
        },
      })
      socket = new Socket(url, token, {
        hello: () => {
          runner.connected()
          return encoder.encode(JSON.stringify({ session: key, name: '', received: runner.received, agent: 'crowd' }))
        },
        opened() {},
        received(bytes) {
          isJoined = true
          runner.receive(bytes)
        },
        closed() { isJoined = false },
        over(why) { console.error(`over: ${why}`) },
      })
    })
  }

  const all = []
  while (all.length < Number(clients)) all.push(await client())
  const end = performance.now() + seconds * 1000
  await new Promise((resolve) => {
    all.forEach(({ worker }, number) => setTimeout(() => {
      const timer = setInterval(() => {
        if (performance.now() < end) worker.postMessage('tick')
        else {
          clearInterval(timer)
          if (number === 0) setTimeout(resolve, 5000)
        }
      }, 1000 / perS)
    }, (number * 1000) / perS / all.length))
  })
  const late = []
  let sent = 0
  let wrong = 0
  for (const { worker } of all) {
    worker.postMessage('report')
    const told = await new Promise((resolve) => worker.once('message', resolve))
    sent += told.sent
    wrong += told.late.some(([n], at) => n !== at + 1) ? 1 : 0
    late.push(...told.late.map(([, ms]) => ms))
  }
  late.sort((a, b) => a - b)
  const [p50, p99] = [0.5, 0.99].map((part) => late[Math.floor(part * late.length)])
  console.log(JSON.stringify({ sent, came: late.length, outOfOrder: wrong, p50, p99 }))
  for (const { socket } of all) socket.close(true)
  process.exit()
}
