// A loaded module: its functions, its wiring, its context as of now, its queues and counters. Decides nothing.

import { encode } from './codec.mjs'
import { ContextError, TooLarge } from './errors.mjs'
import { platform } from './platform.mjs'
import { prints } from './prints.mjs'

const { byteLength } = platform.bytes
const MAX_VALUE_BYTES = 1 << 20
const MAX_UNWIRED_PORTS = 64 // that are named
const MAX_CONTEXT_BYTES = 64 << 20

/** An out-port that has wires, and the messages that wait there for the next commit. */
export class OutPort {
  constructor(name, channel, ids, targets) {
    this.name = name
    this.channel = channel // null when all wires are fused
    this.ids = ids
    this.targets = targets // [{slot, port}]
    this.text = ''
    this.start = this.end = 0 // what follows the text in the buffer of fast_json.mjs; 0 is nothing
    this.headers = ''
    this.count = 0
  }
}

/** Slots joined by fused wires. While a turn of one of them is in async code, no other may enter: its changes are not final. */
class Group {
  constructor() {
    this.locks = 0
    this.slots = []
  }

  get hasAsyncSource() { return this.slots.some((slot) => slot.reserved > 0) }
}

/** One value of the context: its JSON text, and the value itself if it cannot be mutated. */
export function entry(key, value) {
  const text = textOf(key, value)
  let bytes = text.length
  if (bytes * 3 > MAX_VALUE_BYTES) {
    bytes = byteLength(text)
    if (bytes > MAX_VALUE_BYTES) throw new ContextError(`the value of ${key} has ${bytes} bytes, at most ${MAX_VALUE_BYTES} are allowed`)
  }
  return { text, bytes: bytes + key.length, value: isScalar(value) ? value : undefined }
}

function textOf(key, value) {
  try {
    return encode(value, MAX_VALUE_BYTES)
  } catch (error) {
    throw error instanceof TooLarge ? new ContextError(`the value of ${key} has more than ${MAX_VALUE_BYTES} bytes`) : error
  }
}

/** Whether a value is what would be read of its text: the very same, which nobody can change. */
function isScalar(value) {
  return typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER)
}

export class Slot {
  constructor(number, spec, engine) {
    this.number = number
    this.engine = engine
    this.flow = spec.flow
    this.module = spec.module
    this.config = deepFreeze(spec.config)
    this.outNames = spec.ports ? new Set([...spec.ports.out, 'error']) : null
    this.concurrency = Math.max(1, spec.concurrency || 1)
    this.retry = spec.retry === true
    this.maxTurnBytes = spec.max_turn_bytes
    this.source = null // where the code came from: the loader's
    this.handler = null
    this.hooks = {}
    this.loading = true
    this.async = false

    this.setContext(spec.context || {})

    this.channels = [] // of its input wires
    this.unwiredPorts = new Set(['out']) // of which the runner knows; where results go is nobody's mistake
    this.out = new Map()
    this.outPort = undefined // of "out", the port of what a handler returns
    this.group = new Group()
    this.isTarget = false // of a fused wire

    this.queued = false // in the engine's list of slots to look at
    this.batches = []
    this.calls = []
    this.sends = []
    this.credit = 0
    this.mayOwe = false // one turn more: PAUSE has taken the credit while the source was at it
    this.turnNumber = 0
    this.kept = 0 // turns of its own that stay, whatever dies
    this.unsure = [] // who waits for that: {until, resolve, reject}
    this.generator = null // the source, source.mjs
    this.hooking = false
    this.isStopped = false
    this.isGone = false // unloaded
    this.leftOver = 0 // logs of code that is left over from before
    this.order = [] // async turns under way, in input order
    this.pauses = []
    this.isHeld = false // a message failed and is to be tried again: input is discarded until PAUSE
    this.clearCounts()
  }

  /** Credit that only the source may use: it is async, and at a value. */
  get reserved() { return this.generator !== null && this.generator.isAsync ? 1 : 0 }

  /** Replaces the whole context. */
  setContext(values) {
    this.store = new Map()
    this.storeBytes = 0
    for (const key of Object.keys(values)) {
      const stored = entry(key, values[key])
      this.store.set(key, stored)
      this.storeBytes += stored.bytes
    }
  }

  /** `start` comes. */
  begin(turnNumber) {
    this.turnNumber = turnNumber
    this.isStopped = false
    this.leftOver = 0
  }

  /** Refuses what code does that is left over from before `stop` or an update. */
  checkPresent(Refusal) {
    if (this.isGone) throw new Refusal(`this is an old version of ${this.module}: end its timers and what it waits for in \`stop\``)
    if (this.isStopped) throw new Refusal(`${this.module} has been stopped: end its timers and what it waits for in \`stop\``)
  }

  /** So many turns of its own stay. */
  keep(turns) {
    this.kept = Math.max(this.kept, turns)
    while (this.unsure.length > 0 && this.unsure[0].until <= this.kept) this.unsure.shift().resolve()
  }

  clearCounts() {
    this.touched = false
    this.consumed = this.handled = this.failed = this.pulled = this.sent = this.unwired = this.fused = 0
    this.busyMs = 0
    this.dirty = null // context keys to commit
  }

  /** Something was sent to a port that has no wire: said once. */
  sayUnwired(port) {
    if (this.unwiredPorts.has(port) || this.unwiredPorts.size >= MAX_UNWIRED_PORTS) return
    this.unwiredPorts.add(port)
    prints.log(this, 'unwired', port)
  }

  counts() {
    return `[${this.number},${this.consumed},${this.handled},${this.failed},${this.pulled},${this.sent},${this.unwired},${Math.round(this.busyMs * 1000)},${this.fused}]`
  }

  checkRoom(bytes) {
    if (this.storeBytes + bytes > MAX_CONTEXT_BYTES) throw new ContextError(`the context would exceed ${MAX_CONTEXT_BYTES} bytes`)
  }

  /** Puts or removes (undefined) an entry and returns what was there. */
  change(key, stored) {
    const old = this.store.get(key)
    if (old !== undefined) this.storeBytes -= old.bytes
    if (stored === undefined) this.store.delete(key)
    else {
      this.store.set(key, stored)
      this.storeBytes += stored.bytes
    }
    return old
  }

  /** PAUSE: what has not begun is forgotten; the runner still has it. */
  forget() {
    this.batches.length = 0
    this.credit = 0
    this.mayOwe = true
    this.isHeld = false
  }
}

function deepFreeze(value) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value
  for (const item of Object.values(value)) deepFreeze(item)
  return Object.freeze(value)
}

/** Joins slots into groups again after a change of wires; turns under way keep their locks. */
export function regroup(slots) {
  const leader = new Map()
  const find = (slot) => {
    let at = slot
    while (leader.has(at)) at = leader.get(at)
    return at
  }
  for (const slot of slots) slot.isTarget = false
  for (const slot of slots) {
    for (const port of slot.out.values()) {
      for (const target of port.targets) {
        target.slot.isTarget = true
        const [one, other] = [find(slot), find(target.slot)]
        if (one !== other) leader.set(one, other)
      }
    }
  }
  const groups = new Map()
  for (const slot of slots) {
    const first = find(slot)
    if (!groups.has(first)) groups.set(first, new Group())
    slot.group = groups.get(first)
    slot.group.slots.push(slot)
    for (const turn of slot.order) if (turn.holding) slot.group.locks++
  }
}
