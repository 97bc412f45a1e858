// The node host: `node host.mjs [--environment=FOLDER] INPUT OUTPUT` runs the modules of one runtime for a runner (../PROTOCOL.md).

import fs from 'node:fs'
import { Batch } from './batch.mjs'
import { decode } from './codec.mjs'
import { Engine } from './engine.mjs'
import { Lifecycle } from './lifecycle.mjs'
import { exit, keepAlive, refuseSecond } from './guard.mjs'
import { FLAG, FrameReader, FrameWriter, KIND, NONE, listen } from './link.mjs'
import { prints } from './prints.mjs'

function fatal(error) {
  fs.writeSync(2, `node host: internal error: ${(error && error.stack) || error}\n`)
  exit(1)
}

class Host {
  constructor(writer) {
    this._writer = writer
    this._engine = new Engine(writer, fatal)
    this._lifecycle = new Lifecycle(this._engine)
    this._reader = new FrameReader((header, body) => this._take(header, body))
  }

  hello() {
    const body = { protocol: 1, runtime: 'node', version: process.versions.node, pid: process.pid }
    this._writer.frame(KIND.HELLO, 0, 0, 0, 0, 0, JSON.stringify(body))
    this._writer.flush()
  }

  /** Bytes have come: takes in all whole frames, then works, so that what came together is committed together. */
  receive(bytes) {
    try {
      this._reader.feed(bytes)
      this._engine.work()
    } catch (error) {
      fatal(error)
    }
  }

  _take(header, body) {
    switch (header.kind) {
      case KIND.DATA: return this._takeData(header, body)
      case KIND.PULL: return this._pull(this._slot(header), header.count)
      case KIND.PAUSE: return this._pause(header)
      case KIND.LOAD: return this._lifecycle.load(header.slot, header.first, decode(body.toString()))
      case KIND.UNLOAD: return this._lifecycle.unload(header.slot, header.first)
      case KIND.WIRES: return this._lifecycle.wire(this._slot(header), JSON.parse(body))
      case KIND.CALL: return this._lifecycle.call(this._slot(header), header.first, decode(body.toString()))
      case KIND.STOP: return this._stop()
      default: // PING; FrameReader knows no other
        this._writer.frame(KIND.PONG, 0, 0, 0, 0, header.first, '')
        return this._writer.flush()
    }
  }

  _slot({ slot: number, kind }) {
    const slot = this._engine.slots.get(number)
    if (slot === undefined) throw new Error(`frame ${kind} for slot ${number}, which is not loaded`)
    return slot
  }

  _takeData(header, body) {
    const input = this._lifecycle.channels.get(header.slot)
    if (input === undefined) throw new Error(`DATA on channel ${header.slot}, which has no wire`)
    const { flags, skip, count, first } = header
    input.slot.isStopped = false
    if (count === 0 || input.slot.isHeld || this._engine.isStopping) return
    input.slot.batches.push(new Batch(input, body, {
      redelivered: (flags & FLAG.REDELIVERED) !== 0,
      headers: (flags & FLAG.HEADERS) !== 0,
      announce: (flags & FLAG.TURN) !== 0,
      skip, count, first,
    }))
    this._engine.wake(input.slot)
  }

  _pull(slot, credit) {
    slot.credit += credit
    slot.isStopped = false
    this._engine.wake(slot)
  }

  _pause({ slot: number, first: request }) {
    const engine = this._engine
    if (number === NONE) {
      for (const slot of engine.slots.values()) slot.forget()
      engine.pauses.push(request)
      return engine.answerAllPaused()
    }
    const slot = this._slot({ slot: number, kind: KIND.PAUSE })
    slot.forget()
    slot.pauses.push(request)
    return engine.answerPauses(slot)
  }

  _stop() {
    const engine = this._engine
    engine.isStopping = true
    for (const slot of engine.slots.values()) slot.forget()
    engine.answerAllPaused()
  }
}

const [input, output] = process.argv.slice(-2)
refuseSecond(input)
keepAlive()
Error.stackTraceLimit = 30 // the user's frames may be below those of a library
const environment = process.argv[2].startsWith('--environment=') ? process.argv[2].slice(14) : null
// Modules are files below the working directory: `require` and `import` both find packages from there.
if (environment) fs.symlinkSync(`${environment}/node_modules`, 'node_modules')
let host = null
listen(input, (bytes) => host.receive(bytes), () => exit(0))
const writer = new FrameWriter(output)
prints.install(writer)
host = new Host(writer)
host.hello()
