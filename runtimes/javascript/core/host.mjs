// The host of JavaScript modules, as the runner sees it: what each frame does (PROTOCOL.md). It gets the bytes that come by receive(), gives
// those that go to `transport.write(bytes)`, and modules their functions by `loader.load(spec, slot)`.

import { Batch } from './batch.mjs'
import { decodeControl } from './codec.mjs'
import { Engine } from './engine.mjs'
import { Lifecycle } from './lifecycle.mjs'
import { FLAG, FrameReader, FrameWriter, KIND, NONE } from './link.mjs'
import { platform } from './platform.mjs'
import { prints } from './prints.mjs'

const { text } = platform.bytes

function fatal(error) {
  platform.exit(1, `internal error: ${(error && error.stack) || error}`)
}

export class Host {
  /**
   * transport   {write(bytes)}: all of them, at once; the bytes are only valid during the call
   * loader      {load(spec, slot), ownerOf(stack)}: the source of LOAD's spec, and the slot whose code is first in a stack, or null. A source has
   *             run(): {handler, hooks} or a promise of it; shorten(text): the text with the user's file names;
   *             locate(stack): {file, line, column} in the user's files, or undefined; remove()
   */
  constructor(transport, loader) {
    const writer = new FrameWriter(transport)
    prints.install(writer, loader)
    this._writer = writer
    this._engine = new Engine(writer, fatal)
    this._lifecycle = new Lifecycle(this._engine, loader)
    this._reader = new FrameReader((header, body) => this._take(header, body))
  }

  /** Says who this is: `about` is {runtime, version, pid}. */
  hello(about) {
    this._writer.frame(KIND.HELLO, 0, 0, 0, 0, 0, JSON.stringify({ protocol: 1, ...about }))
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
      case KIND.PULL: return this._pull(this._slot(header), header.count, header.first)
      case KIND.PAUSE: return this._pause(header)
      case KIND.LOAD: return this._lifecycle.load(header.slot, header.first, decodeControl(text(body)))
      case KIND.UNLOAD: return this._lifecycle.unload(header.slot, header.first)
      case KIND.WIRES: return this._lifecycle.wire(this._slot(header), JSON.parse(text(body)))
      case KIND.CALL: return this._lifecycle.call(this._slot(header), header.first, decodeControl(text(body)))
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

  _pull(slot, credit, kept) {
    slot.keep(kept)
    if (credit === 0) return
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
