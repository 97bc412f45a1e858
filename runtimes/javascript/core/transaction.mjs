// Finished turns since the last COMMIT, and how they are written (PROTOCOL.md section 7).

import { FLAG, KIND, NO_INDEX } from './link.mjs'
import { platform } from './platform.mjs'
import * as fastJson from './fast_json.mjs'

const { byteLength } = platform.bytes
const COMMIT_CHARS = 64 << 10
const MAX_FRAME_CHARS = 16 << 20 // of UTF-16: at most 48 MiB of UTF-8

export class Transaction {
  constructor(writer) {
    this._writer = writer
    this._slots = []
    this._ports = []
    this._errors = []
    this._chars = 0
  }

  get isEmpty() { return this._slots.length === 0 }
  get isFull() { return this._chars >= COMMIT_CHARS }

  touch(slot) {
    if (slot.touched) return
    slot.touched = true
    this._slots.push(slot)
  }

  merge(turn) {
    const { slot, calls, outputs } = turn
    this.touch(slot)
    if (turn.errors !== null) this._mergeErrors(turn)
    for (let i = 0; i < turn.callCount; i += 6) {
      const called = calls[i]
      if (!called.touched) this.touch(called)
      called.handled += calls[i + 1]
      called.failed += calls[i + 2]
      called.sent += calls[i + 3]
      called.unwired += calls[i + 4]
      called.fused += calls[i + 5]
    }
    for (let i = 0; i < turn.outputCount; i += 3) this._append(outputs[i], outputs[i + 1], outputs[i + 2])
    if (turn.changes !== null) for (const [changed, key, stored] of turn.changes) this.change(changed, key, stored)
    slot.consumed += turn.consumed
    slot.pulled += turn.pulled
    if (turn.joined !== null) for (const joined of turn.joined) joined.pulled++
  }

  change(slot, key, stored) {
    this.touch(slot)
    slot.dirty ??= new Map()
    slot.dirty.set(key, stored)
    if (stored !== undefined) this._chars += stored.bytes
  }

  _mergeErrors(turn) {
    for (const error of turn.errors) {
      error.index = error.isData ? turn.slot.consumed : NO_INDEX
      this._chars += error.info.length + error.message.length
      this._errors.push(error)
    }
  }

  _append(port, json, headers) {
    if (port.count === 0) this._ports.push(port)
    if (typeof json === 'number') {
      this._chars += json
      this._appendKept(port, fastJson.keep(json), json)
    } else {
      this._chars += json.length
      if (port.end > 0) this._copyKept(port)
      if (port.text.length + json.length > MAX_FRAME_CHARS && port.text !== '') {
        this._writeData(port)
        this._ports.push(port)
      }
      port.text = port.text === '' ? json : `${port.text},\n${json}`
    }
    if (headers !== null || port.headers !== '') {
      // Messages before the first one with headers get their null now.
      const before = port.headers === '' ? 'null,\n'.repeat(port.count) : `${port.headers},\n`
      port.headers = before + (headers ?? 'null')
    }
    port.count++
  }

  /** What follows the last in the buffer, as all do while one port is busy, needs no copy. */
  _appendKept(port, start, size) {
    if (port.end === 0 || port.end + 2 !== start) {
      if (port.end > 0) this._copyKept(port)
      port.start = start
    }
    port.end = start + size
  }

  _copyKept(port) {
    const text = fastJson.keptText(port.start, port.end)
    port.text = port.text === '' ? text : `${port.text},\n${text}`
    port.start = port.end = 0
  }

  _writeData(port) {
    if (port.text === '' && port.headers === '') {
      this._writer.array(KIND.DATA, port.channel, port.count, fastJson.kept(port.start, port.end))
      port.start = port.end = port.count = 0
      return
    }
    if (port.end > 0) this._copyKept(port)
    const flags = port.headers === '' ? 0 : FLAG.HEADERS
    const body = flags === 0 ? `[${port.text}]` : `[[${port.headers}],\n\n[${port.text}]]`
    this._writer.frame(KIND.DATA, flags, port.channel, 0, port.count, 0, body)
    port.text = port.headers = ''
    port.count = 0
  }

  /** Writes all of it, COMMIT last, in one go. */
  commit() {
    if (this._slots.length === 0) return
    const writer = this._writer
    for (const port of this._ports) if (port.count > 0) this._writeData(port)
    fastJson.clear()
    let counts = ''
    for (const slot of this._slots) {
      if (slot.dirty !== null) this._writeContext(slot)
      counts += counts === '' ? slot.counts() : `,${slot.counts()}`
      slot.clearCounts()
    }
    for (const { slot, flags, index, number, info, message } of this._errors) {
      writer.frame(KIND.ERROR, flags, slot.number, byteLength(info), index, number, info + message)
    }
    writer.frame(KIND.COMMIT, 0, 0, 0, 0, 0, `[${counts}]`)
    writer.flush()
    this._slots.length = 0
    this._ports.length = 0
    this._errors.length = 0
    this._chars = 0
  }

  _writeContext(slot) {
    for (const [key, stored] of slot.dirty) {
      const flags = stored === undefined ? FLAG.DELETED : 0
      this._writer.frame(KIND.CONTEXT, flags, slot.number, byteLength(key), 0, 0, stored === undefined ? key : key + stored.text)
    }
  }
}
