// A module in this page: what waits for it, what it is at, its context. It outlives its hosts and its versions.

import { FLAG, KIND } from '../javascript/core/link.mjs'
import { messageOf } from './frames.mjs'

const WINDOW_MESSAGES = 1024
const WINDOW_BYTES = 256 << 10
const FULL_MESSAGES = 10_000 // that wait; half of it is not full any more
const FULL_BYTES = 1 << 20
export const CREDIT = 256
const MOST_DEATHS = 3 // of a host with one message alone

export class Instance {
  /** `newInput` (port, wire): the channel of an input that the host has not been told of; `done` (parcel, count): as of Kept. */
  constructor(module, newInput, done) {
    this.module = module
    this._newInput = newInput
    this._done = done
    this.context = new Map() // key -> JSON text
    this.version = null // that is loaded
    this.refused = null // that could not be
    this.about = null // what the picture says of the version
    this.isSource = false
    this.queue = [] // {port, wire, body, flags, skip, count, first, isRemote}: those that are to come
    this.queueMessages = this.queueBytes = 0
    this.isFull = false // who feeds it is to wait
    this.feeds = [] // instances in other hosts of the page that get what comes of its messages
    this.window = [] // those that are at the host
    this.windowMessages = this.windowBytes = 0
    this.numbers = new Map() // local wire -> the number of the next message
    this.host = null
    this.slot = 0
    this.hooks = []
    this.key = '' // of the host
    this.inputs = new Map() // "port wire" -> {port, wire, channel}
    this.wires = null // as the host was told
    this.wired = null // and where all of it leads
    this.timeoutS = null
    this.credit = 0
    this.turns = 0 // of sources and timers, for ids
    this.isOpen = false
    this.deaths = 0 // of its host with the first message
    this.timer = null
  }

  add(parcel) {
    this.queue.push(parcel)
    this._count(parcel, 1)
  }

  _count({ count, body }, sign) {
    this.queueMessages += sign * count
    this.queueBytes += sign * body.length
    const share = this.isFull ? 2 : 1
    this.isFull = this.queueMessages * share >= FULL_MESSAGES || this.queueBytes * share >= FULL_BYTES
  }

  /** Whether what comes of its messages has no room. */
  get isHeld() { return this.feeds.some(({ isFull }) => isFull) }

  /** Gives the host what it may have; a module with a time limit gets one message at a time. */
  fill() {
    if (!this.isOpen || this.host === null) return
    const isTimed = this.timeoutS !== null
    const most = isTimed || this.deaths > 0 ? 1 : WINDOW_MESSAGES
    while (this.queue.length > 0 && this.windowMessages < most && this.windowBytes < WINDOW_BYTES) {
      let parcel = this.queue.shift()
      this._count(parcel, -1)
      const room = most - this.windowMessages
      if (parcel.count > room) {
        const rest = { ...parcel, skip: parcel.skip + room, count: parcel.count - room, first: parcel.first + room }
        this.queue.unshift(rest)
        this._count(rest, 1)
        parcel = { ...parcel, count: room }
      }
      this.window.push(parcel)
      this.windowMessages += parcel.count
      this.windowBytes += parcel.body.length
      const { port, wire, body, flags, skip, count, first } = parcel
      const channel = this.inputs.get(`${port} ${wire}`)?.channel ?? this._newInput(port, wire)
      this.host.write(KIND.DATA, { slot: channel, flags: flags | (isTimed ? FLAG.TURN : 0), skip, count, first }, body)
    }
  }

  /** Credit for what no message causes. */
  pull() {
    if (!this.isOpen || this.credit > CREDIT / 2) return
    this.host.write(KIND.PULL, { slot: this.slot, count: CREDIT - this.credit })
    this.credit = CREDIT
  }

  /** The host's turns so far stay. */
  confirm() { this.host.write(KIND.PULL, { slot: this.slot, first: this.turns }) }

  /** Message `index` of those that the host has: its text and its headers. */
  messageAt(index) {
    for (const { body, flags, skip, count } of this.window) {
      if (index < count) return messageOf(body, (flags & FLAG.HEADERS) !== 0, skip + index)
      index -= count
    }
    throw new Error(`${this.module}: an error of a message that it never got`)
  }

  /** The host has done so many. Returns how many of them came from the runner. */
  consume(count) {
    let remote = 0
    if (count > 0) this.deaths = 0
    while (count > 0) {
      const parcel = this.window[0]
      const done = Math.min(count, parcel.count)
      count -= done
      this.windowMessages -= done
      if (parcel.isRemote) remote += done
      this._done(parcel, done)
      parcel.count -= done
      parcel.skip += done
      parcel.first += done
      if (parcel.count === 0) {
        this.windowBytes -= parcel.body.length
        this.window.shift()
      }
    }
    return remote
  }

  /** The host has nothing of it any more; what it had comes first again. */
  takeBack(flag = 0) {
    for (const parcel of this.window) {
      parcel.flags |= flag
      this._count(parcel, 1)
    }
    this.queue.unshift(...this.window)
    this.window = []
    this.windowMessages = this.windowBytes = 0
    this.credit = 0
    clearTimeout(this.timer)
  }

  /** It has no host. */
  unload() {
    Object.assign(this, { host: null, version: null, wires: null, wired: null, hooks: [], isSource: false, isOpen: false })
    this.inputs.clear()
  }

  /** Its host died while it had one message alone. Returns that message if it has done so too often: it is taken out. */
  blame() {
    if (this.windowMessages !== 1 || ++this.deaths < MOST_DEATHS) return null
    const { message, headers } = this.messageAt(0)
    const { port, isRemote } = this.window[0]
    this.deaths = 0
    this.consume(1)
    return { message, headers, port, isRemote }
  }

  /** What is from a session that is gone is nobody else's any more. */
  forgetSession() {
    for (const parcel of [...this.queue, ...this.window]) parcel.isRemote = false
  }

  /** The body of LOAD, with the context as it is now. */
  loadBody(load) { return `${load},"context":${this.contextText()}}` }

  contextText() {
    return `{${[...this.context].map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
  }
}

