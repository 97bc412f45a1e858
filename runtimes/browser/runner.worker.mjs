// The Worker of the page's runner: it has the socket, the session and the mailboxes, so that they go on while the page is busy.

import './platform.mjs' // first: the core needs it as it is loaded
import { Runner } from './runner.mjs'
import { Socket } from './socket.mjs'
import { Store } from './store.mjs'

const HIGH_BYTES = 1 << 20 // that wait in the socket
const encoder = new TextEncoder()
const spawning = new Map() // number -> what takes the port
let spawns = 0
let runner = null
let socket = null

function spawn(kind) {
  const number = ++spawns
  return new Promise((resolve) => {
    spawning.set(number, (port) => resolve({ port, kill: () => postMessage({ kill: number }) }))
    postMessage({ spawn: number, kind })
  })
}

async function join({ url, token, name, session, agent, page }) {
  let key = session
  let client = ''
  runner = new Runner({
    store: await Store.open(page, () => socket?.giveUp('another page has taken this session over')),
    send: (bytes) => (bytes === null ? socket.isOpen && isJoined && socket.buffered < HIGH_BYTES : isJoined && socket.send(bytes)),
    spawn,
    tell(what) {
      if (what.session !== undefined) [key, client] = [what.session, what.client]
      postMessage({ tell: what })
    },
  })
  let isJoined = false
  client = await runner.kept.restore(session)
  socket = new Socket(url, token, {
    hello: () => {
      runner.connected()
      return encoder.encode(JSON.stringify({ session: key, client, name, received: runner.received, agent }))
    },
    opened() {},
    received(bytes) {
      if (!isJoined) {
        isJoined = true
        postMessage({ tell: { state: 'joined' } })
      }
      runner.receive(bytes)
    },
    closed(why) {
      if (isJoined) postMessage({ tell: { state: 'away', why } })
      isJoined = false
      runner.away()
    },
    over(why, code) {
      runner.kept.leave()
      postMessage({ tell: { state: 'over', why, code } })
    },
  })
}

onmessage = ({ data }) => {
  if (data.join) join(data.join)
  else if (data.spawned) {
    spawning.get(data.spawned)(data.port)
    spawning.delete(data.spawned)
  } else if (data.wake) socket?.wake()
  else if (data.close) {
    runner?.flush()
    socket?.close(data.close === 'for good')
    if (data.close === 'for good') runner?.close()
  }
}
