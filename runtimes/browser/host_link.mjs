// One host of the page, from the runner's side: a Worker, or the page's window. Asks and is answered; what the host commits goes to the runner.

import { FrameReader, KIND } from '../javascript/core/link.mjs'
import { platform } from '../javascript/core/platform.mjs'
import { bytesOf, frame } from './frames.mjs'

const { text } = platform.bytes

export class HostLink {
  /**
   * port      the MessagePort to the host
   * committed (rows, parts): a transaction; parts are {header, body} of its DATA, CONTEXT and ERROR, in order
   * said      (kind, header, text): LOG, TURN and FINISHED
   * ended     (why): it is no more, by itself
   */
  constructor(port, { committed, said, ended }) {
    this._port = port
    this._asked = new Map() // request -> what takes the answer
    this._requests = 0
    this._parts = []
    this.isOver = false
    const reader = new FrameReader((header, body) => this._take(header, body, committed, said), [KIND.DATA, KIND.PONG])
    port.onmessage = ({ data }) => {
      if (this.isOver) return
      if (data instanceof Uint8Array) reader.feed(data)
      else {
        this.end(data.why)
        ended(data.why || 'it has ended')
      }
    }
  }

  _take(header, body, committed, said) {
    switch (header.kind) {
      case KIND.DATA: case KIND.CONTEXT: case KIND.ERROR:
        this._parts.push({ header: { ...header }, body: body.slice() })
        return
      case KIND.COMMIT: {
        const parts = this._parts
        this._parts = []
        return committed(JSON.parse(text(body)), parts)
      }
      case KIND.RESULT: return this._answer(header.first, JSON.parse(text(body)))
      case KIND.PAUSED: return this._answer(header.first, true)
      case KIND.LOG: case KIND.TURN: case KIND.FINISHED: return said(header.kind, { ...header }, text(body))
      default: // HELLO, PONG
    }
  }

  _answer(request, value) {
    const done = this._asked.get(request)
    this._asked.delete(request)
    done?.(value)
  }

  /** A promise of the answer to LOAD, UNLOAD, CALL or PAUSE; null if the host ends before. */
  ask(kind, slot, body = '') {
    if (this.isOver) return Promise.resolve(null)
    const first = ++this._requests
    return new Promise((resolve) => {
      this._asked.set(first, resolve)
      this.write(kind, { slot, first }, bytesOf(body))
    })
  }

  write(kind, fields, body) {
    if (this.isOver) return
    const bytes = frame(kind, fields, body)
    this._port.postMessage(bytes, [bytes.buffer])
  }

  /** Nothing is expected of it any more. */
  end() {
    if (this.isOver) return
    this.isOver = true
    this._port.close()
    for (const done of this._asked.values()) done(null)
    this._asked.clear()
  }
}
