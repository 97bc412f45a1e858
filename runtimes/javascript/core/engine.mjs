// When turns begin and when they are committed: the loop over the slots that have something to do, in slices of 10 ms
// between which the event loop looks for input. turns.mjs knows how a turn runs.

import { Undecodable } from './batch.mjs'
import { Context } from './context.mjs'
import { ContextError, CreditError } from './errors.mjs'
import { KIND, NONE } from './link.mjs'
import { platform } from './platform.mjs'
import { regroup } from './slot.mjs'
import { Turns } from './turns.mjs'

const { defer, exit } = platform
const { performance } = globalThis
const SLICE_MS = 10
const TURNS_IN_A_ROW = 128
const MAX_WAITING_SENDS = 1024
const SENT = Promise.resolve()

export class Engine extends Turns {
  constructor(writer, onFatal) {
    super(writer, onFatal)
    this.advancing = 0 // async sources that wait for their next value
    this._ready = []
    this._sliceEnd = 0
    this._isScheduled = false
    this._isYielding = false // work is left, but the event loop has its turn
    this._asides = [] // slots whose messages wait until `isFresh`
    this._isRewired = false // since the slots were put into groups
    this._tick = () => {
      this._isScheduled = this._isYielding = false
      try {
        this._work(true)
      } catch (error) {
        this.fatal(error)
      }
    }
  }

  // ---------------------------------------------------------------- the loop

  wake(slot) {
    if (slot.queued) return
    slot.queued = true
    this._ready.push(slot)
  }

  schedule() {
    if (this._isScheduled) return
    this._isScheduled = true
    defer(this._tick)
  }

  /** Input has come. While yielding it is only taken in: more frames may be waiting to be read. */
  work() {
    if (this._isRewired) {
      this._isRewired = false
      regroup([...this.slots.values()])
    }
    if (!this._isYielding) this._work(false)
  }

  /** Async code has gone on. The slice is still the one that the event loop began, or user promises could starve it. */
  resume() {
    if (this._isYielding) return
    this.now = performance.now()
    if (this.now < this._sliceEnd) this._runReady(false)
    else this._yield()
  }

  _yield() {
    this.transaction.commit()
    if (this._ready.length === 0) return
    this._isYielding = true
    this.schedule()
  }

  _work(isTick) {
    for (const slot of this._asides.splice(0)) this.wake(slot)
    this.now = performance.now()
    this._sliceEnd = this.now + SLICE_MS
    this.isFresh = true
    this._runReady(isTick)
    this.isFresh = false
  }

  _runReady(isTick) {
    const ready = this._ready
    while (ready.length > 0) {
      const slot = ready.shift()
      slot.queued = false
      for (let left = TURNS_IN_A_ROW; this._step(slot);) {
        if (this.now >= this._sliceEnd) {
          this.wake(slot)
          this._yield()
          return
        }
        if (--left === 0) {
          this.wake(slot)
          break
        }
      }
    }
    // Async code that goes on at once should share the commit; what really waits must not delay it.
    if (isTick || this.running + this.advancing === 0) this.transaction.commit()
    else if (!this.transaction.isEmpty) this.schedule()
  }

  /** Begins one turn of a slot, if it has one and may. */
  _step(slot) {
    if (slot.loading || slot.hooking) return false
    if (slot.calls.length > 0) {
      if (slot.order.length === 0) slot.calls.shift()()
      return false
    }
    if (slot.order.length >= slot.concurrency || (slot.isTarget && slot.group.locks > 0)) return false
    if (slot.sends.length > 0 && (slot.sends[0].isPaid || slot.credit > slot.reserved)) {
      this._runSend(slot, slot.sends.shift())
      return true
    }
    const source = slot.generator
    if (source !== null) {
      if (source.takesTurn() && source.step()) return true
      if (source.holds) return false
    }
    if (slot.batches.length === 0) return false
    if (!this.isFresh && slot.group.hasAsyncSource) {
      this._asides.push(slot)
      this.schedule()
      return false
    }
    this._runMessage(slot, slot.batches[0])
    return true
  }

  // ---------------------------------------------------------------- turns

  _runMessage(slot, batch) {
    if (batch.messages === null) {
      batch.decode()
      this.now = performance.now()
    }
    const at = batch.at++
    if (batch.at === batch.end) slot.batches.shift()
    const message = batch.messages[at]
    const turn = this.newTurn(slot)
    turn.isData = true
    turn.consumed = 1
    turn.number = batch.first + at
    const headers = batch.headers === null ? null : batch.headers[at]
    const context = turn.context = new Context(slot, turn, batch.port, batch, at, null, 0, headers)
    if (batch.announce) {
      turn.announce = true
      this.transaction.commit()
      this.writer.frame(KIND.TURN, 0, slot.number, 0, 0, turn.number, '')
      this.writer.flush()
    }
    if (message instanceof Undecodable) {
      turn.fail(context, message.error)
      this.proceed(turn, undefined)
    } else {
      this.proceed(turn, this.handle(turn, context, message))
    }
  }

  _runSend(slot, { port, value, headers, isPaid, resolve }) {
    if (isPaid) {
      slot.credit++
      this.running--
    }
    const turn = this.pulledTurn(slot)
    const { context } = turn
    turn.onDone = resolve
    try {
      context._send(port, value, headers)
      turn.take(context)
    } catch (error) {
      turn.fail(context, error)
    }
    context._over = true
    this.tick(slot)
    this.proceed(turn, undefined)
    if (isPaid) this.answerPauses(slot)
  }

  // ---------------------------------------------------------------- from outside

  /** Wires have changed: once for all frames that came together, as many as there are slots. */
  rewired() { this._isRewired = true }

  sendOutside(slot, port, value, headers) {
    slot.checkPresent(CreditError)
    if (slot.sends.length >= MAX_WAITING_SENDS) throw new CreditError(`${MAX_WAITING_SENDS} sends of ${slot.module} wait for credit`)
    const isPaid = slot.credit > slot.reserved && (slot.sends.length === 0 || slot.sends.at(-1).isPaid)
    const send = { port, value, headers, isPaid, resolve: null, reject: null }
    slot.sends.push(send)
    this.wake(slot)
    this.schedule()
    if (isPaid) { // it is said to be sent: no PAUSE takes its credit back
      slot.credit--
      this.running++
      return SENT
    }
    const sent = new Promise((resolve, reject) => { Object.assign(send, { resolve, reject }) })
    sent.catch(() => {}) // that its module ends is an error for who waits, else for nobody
    return sent
  }

  changeOutside(slot, key, stored) {
    slot.checkPresent(ContextError)
    slot.change(key, stored)
    this.transaction.change(slot, key, stored)
    this.schedule()
  }

  /** Answers what was asked to pause and has nothing under way any more. */
  answerPauses(slot) {
    if (slot.pauses.length > 0 && slot.order.length === 0 && !slot.hooking && !slot.sends[0]?.isPaid) {
      this.transaction.commit()
      for (const request of slot.pauses.splice(0)) this.writer.frame(KIND.PAUSED, 0, slot.number, 0, 0, request, '')
      this.writer.flush()
    }
    this.answerAllPaused()
  }

  answerAllPaused() {
    if (this.running > 0) return
    if (this.pauses.length > 0) {
      this.transaction.commit()
      for (const request of this.pauses.splice(0)) this.writer.frame(KIND.PAUSED, 0, NONE, 0, 0, request, '')
      this.writer.flush()
    }
    if (this.isStopping) {
      this.transaction.commit()
      exit(0)
    }
  }
}
