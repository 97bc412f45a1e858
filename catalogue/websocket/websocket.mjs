// What a WebSocket server says. A connection that ends is begun again (`restart`).

import { once } from 'node:events'
import WebSocket from 'ws'

export const checkConfig = ({ url }) => (URL.canParse(url) ? null : { url: 'is no whole address' })

export async function* start(context) {
  const { url, headers, subscribe } = context.config
  const socket = new WebSocket(url, { headers })
  const waiting = []
  let wake = () => {}
  let ended
  socket.on('message', (data, isBinary) => {
    waiting.push(isBinary ? data : parsed(data.toString()))
    if (waiting.length >= 1000) socket.pause() // who sends too fast is held back
    wake()
  })
  socket.on('error', (error) => (ended = new Error(`${url}: ${error.message}`)))
  socket.on('close', (code) => {
    ended ??= new Error(`${url} has closed the connection (${code})`)
    wake()
  })
  try {
    await Promise.race([once(socket, 'open'), once(socket, 'close')]).catch(() => {})
    if (ended) throw ended
    for (const message of subscribe) socket.send(typeof message === 'string' ? message : JSON.stringify(message))
    for (;;) {
      while (waiting.length) yield waiting.shift()
      socket.resume()
      if (ended) throw ended
      await new Promise((resolve) => (wake = resolve))
    }
  } finally {
    socket.terminate()
  }
}

const parsed = (text) => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
