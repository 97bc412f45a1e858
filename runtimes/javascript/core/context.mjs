// What a handler call sees as `context`. Names with an underscore are the engine's. What a call sends and changes stays
// here until it has ended; a call that raises is forgotten by forgetting its Context.

import { decode, encode, encodeAny } from './codec.mjs'
import { ContextError, DataError, HeaderError, PortError, TooLarge, TurnTooLarge } from './errors.mjs'
import { platform } from './platform.mjs'
import { prints } from './prints.mjs'
import { wellFormed, writePlain } from './fast_json.mjs'
import { entry } from './slot.mjs'
import * as values from './values.mjs'

const { copy, take, taken } = values // constants of this file: values.mjs says why
const { byteLength } = platform.bytes
const MAX_HEADER_BYTES = 4096
const MOST_BYTES = 30 // of JSON to each that is counted, at most: a number with a key
const NO_HEADERS = Object.freeze({})

/** One value sent: its text for the channel, and the value for fused targets. */
class Output {
  constructor(port, json, value, first, headers, index) {
    this.port = port // null: no wire
    this.json = json
    this.value = value // as it was sent: what take() gave, or with `first` the sender's own
    this.first = first // what the only target gets; undefined: each gets a copy of the value
    this.headers = headers // undefined: those of the input
    this.index = index
  }

  /** The value as JSON. */
  text() {
    try {
      return this.json ?? encode(this.value)
    } catch {
      return 'null' // a getter or toJSON of the sender's does otherwise now
    }
  }

  /** A value for one more target. */
  hand() { return this.first === undefined ? copy(this.value) : this.first }

  /** The sender may run again before what is behind this output has ended. */
  settle() {
    if (this.first === undefined) return
    this.first = undefined
    try {
      this.value = take(this.value)
    } catch {
      this.value = null // a getter or toJSON does otherwise now
    }
  }
}

export class Context {
  constructor(slot, turn, port, batch, at, parent, output, headers) {
    this._slot = slot
    this._turn = turn
    this._port = port
    this._batch = batch // of a root call: where its message is
    this._at = at
    this._parent = parent // of a fused call: who sent its message, and which output it was
    this._output = output
    this._headers = headers
    this._id = undefined
    this._over = false
    this._isHook = false
    this._outputs = null
    this._json = null // the only output, to the channel of "out", or its bytes in the buffer: the common case makes no Output
    this._count = 0
    this._sent = 0
    this._unwired = 0
    this._changes = null
    this._changedBytes = 0
    this._bytes = 0 // of all that it sends and changes, at least; Infinity: too many
    this._exact = null // {outputs, bytes}: how many outputs have been weighed, and their sum
  }

  get config() { return this._slot.config }
  get headers() { return this._headers === null ? NO_HEADERS : this._headers }
  get port() { return this._port }
  get moduleId() { return this._slot.module }
  get flowId() { return this._slot.flow }
  get redelivered() {
    let root = this
    while (root._parent !== null) root = root._parent
    return root._batch !== null && root._batch.redelivered
  }

  get messageId() {
    if (this._id === undefined) {
      if (this._parent !== null) this._id = this._parent._idOf(this._output.index)
      else if (this._batch !== null) this._id = this._batch.ids?.get(this._at) ?? `${this._batch.wire}#${this._batch.first + this._at}`
      else this._id = null
    }
    return this._id
  }

  get(key, fallback) {
    const stored = this._find(key)
    if (stored === undefined) return fallback
    return stored.value === undefined ? decode(stored.text) : stored.value
  }

  set(key, value) {
    if (typeof key !== 'string' || !wellFormed(key)) throw new ContextError('a context key must be a well-formed string')
    if (value === undefined) throw new DataError('undefined cannot be stored in the context; use delete')
    this._change(key, entry(key, value))
  }

  delete(key) {
    if (this._find(key) !== undefined) this._change(key, undefined)
  }

  keys() {
    const keys = new Set(this._slot.store.keys())
    if (this._changes !== null) for (const [key, stored] of this._changes) stored === undefined ? keys.delete(key) : keys.add(key)
    return [...keys]
  }

  log(level, text) { prints.log(this._slot, level === 'warn' ? 'warning' : level, text) }

  /** In a turn: part of it. Outside: a turn of its own; without credit the promise returned waits for it. */
  send(port, value, headers) {
    const slot = this._slot
    if (slot.outNames !== null && !slot.outNames.has(port)) throw new PortError(`${slot.module} has no out-port ${String(port)}`)
    if (typeof port !== 'string') throw new PortError('a port is a string')
    if (value === undefined) return undefined
    const own = headers === undefined ? undefined : checkHeaders(headers)
    if (this._over) return slot.engine.sendOutside(slot, port, this._bounded(take, value), own)
    this._send(port, value, own)
    return undefined
  }

  /** Resolves when nothing can undo what the source has yielded before, or what was sent outside any turn. */
  committed() {
    const slot = this._slot
    slot.checkPresent(Error)
    const until = slot.turnNumber + slot.sends.length
    if (slot.kept >= until) return Promise.resolve()
    return new Promise((resolve, reject) => { slot.unsure.push({ until, resolve, reject }) })
  }

  // ---------------------------------------------------------------- for the engine

  _send(name, value, headers) {
    const port = this._slot.out.get(name) ?? null
    if (port === null) this._slot.sayUnwired(name)
    const isWritten = port !== null && port.channel !== null
    const isTaken = port === null || port.targets.length > 0
    const plain = isTaken ? this._take(value) : value
    const bytes = isTaken ? taken.bytes : 0
    const json = isWritten ? this._encode(plain) : null
    this._keep(new Output(port, json, isTaken ? plain : undefined, undefined, headers, this._count++), json === null ? bytes : json.length)
  }

  /**
   * The value that the handler returned. `isNext`: the turn is merged before any other; `isSoon`: what is fused behind begins before
   * the sender can run again.
   */
  _return(value, isNext, isSoon) {
    const port = this._slot.outPort
    if (port !== undefined && port.targets.length === 0 && this._outputs === null) {
      const size = isNext ? writePlain(value) : 0
      this._json = size > 0 ? size : isNext ? this._encode(value, encodeAny) : this._encode(value)
      this._sent = 1
      this._grow(size > 0 ? size : this._json.length)
    } else if (port !== undefined && port.targets.length === 1 && isSoon) {
      const first = this._take(value)
      const { bytes } = taken
      this._keep(new Output(port, port.channel === null ? null : this._encode(first), value, first, undefined, this._count++), bytes)
    } else {
      this._send('out', value, undefined)
    }
  }

  /** What arrives of a value. */
  _take(value) { return this._bounded(take, value) }

  _encode(value, way = encode) { return this._bounded(way, value) }

  _bounded(way, value) {
    try {
      return way(value, this._slot.maxTurnBytes)
    } catch (error) {
      throw error instanceof TooLarge ? this._overflow() : error
    }
  }

  _keep(output, bytes) {
    if (output.port === null) this._unwired++
    else this._sent++
    if (this._outputs === null) this._outputs = [output]
    else this._outputs.push(output)
    this._grow(bytes)
  }

  /** The call has sent or changed so many bytes more, at least. Stops one that is over its limit before it eats the memory. */
  _grow(bytes) {
    this._bytes += bytes
    if (this._bytes * MOST_BYTES > this._slot.maxTurnBytes) this._weigh()
  }

  /** Counts exactly, so that it is too much in all the ways that a value can go. */
  _weigh() {
    if (this._bytes === Infinity) throw this._overflow() // it has caught that: it can do nothing more
    const outputs = this._outputs ?? []
    const exact = this._exact ??= { outputs: 0, bytes: 0 }
    for (; exact.outputs < outputs.length; exact.outputs++) exact.bytes += byteLength(outputs[exact.outputs].text())
    let { bytes } = exact
    if (this._json !== null) bytes += sizeOf(this._json)
    if (this._changes !== null) for (const stored of this._changes.values()) bytes += stored === undefined ? 0 : stored.bytes
    if (bytes > this._slot.maxTurnBytes) throw this._overflow()
  }

  _overflow() {
    if (!this._over) this._bytes = Infinity
    return new TurnTooLarge(`outputs of more than ${this._slot.maxTurnBytes} bytes`)
  }

  /** Gives what a hook or a source has collected to the context of the turn that commits it. */
  _moveTo(other) {
    other._outputs = this._outputs // by hand: a source does this for each of its turns
    other._json = this._json
    other._count = this._count
    other._sent = this._sent
    other._unwired = this._unwired
    other._changes = this._changes
    other._changedBytes = this._changedBytes
    other._bytes = this._bytes
    other._exact = this._exact
    this._outputs = this._json = this._changes = this._exact = null
    this._count = this._sent = this._unwired = this._changedBytes = this._bytes = 0
  }

  _idOf(index) { return `${this.messageId}/${this._slot.module}.${index}` }

  /** The headers of an output as JSON text, null for none. */
  _headersText(port, headers, index) {
    const own = headers === undefined ? this._headers : headers
    if (port.ids) return JSON.stringify({ ...own, id: this._idOf(index) })
    return own === null ? null : JSON.stringify(own)
  }

  _find(key) {
    if (this._changes !== null && this._changes.has(key)) return this._changes.get(key)
    return this._slot.store.get(key)
  }

  _change(key, stored) {
    const slot = this._slot
    if (slot.concurrency > 1 && !this._isHook) throw new ContextError('a module with concurrency cannot change its context')
    const old = this._find(key)
    const bytes = (stored === undefined ? 0 : stored.bytes) - (old === undefined ? 0 : old.bytes)
    if (bytes > 0) slot.checkRoom(this._over ? bytes : this._changedBytes + bytes)
    if (this._over) {
      slot.engine.changeOutside(slot, key, stored)
      return
    }
    this._changedBytes += bytes
    this._changes ??= new Map()
    this._changes.set(key, stored)
    if (stored !== undefined) this._grow(stored.bytes)
  }
}

/** Bytes of an output: as JSON text, or in the buffer of fast_json.mjs. */
export function sizeOf(json) { return typeof json === 'number' ? json : byteLength(json) }

/** A copy of a module's own headers, null for none. */
function checkHeaders(headers) {
  if (headers === null) return null
  if (typeof headers !== 'object') throw new HeaderError('headers are an object of strings')
  const names = Object.keys(headers)
  if (names.length === 0) return null
  for (const name of names) {
    if (name !== 'client' && name !== 'traceparent' && !name.startsWith('x-')) throw new HeaderError(`the header ${name} cannot be sent`)
    if (typeof headers[name] !== 'string') throw new HeaderError(`the header ${name} is not a string`)
  }
  const text = encode({ ...headers })
  if (byteLength(text) > MAX_HEADER_BYTES) throw new HeaderError(`headers of more than ${MAX_HEADER_BYTES} bytes`)
  return Object.freeze({ ...headers })
}
