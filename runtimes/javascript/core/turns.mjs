// Runs what is in a turn (PROTOCOL.md section 7): synchronously as long as user code is synchronous; what has become async
// is kept in `slot.order`, so that it ends in input order. The engine says when a turn begins.

import * as contexts from './context.mjs'
import * as printing from './prints.mjs'
import { platform } from './platform.mjs'
import { Transaction } from './transaction.mjs'
import { Turn } from './turn.mjs'

const { Context } = contexts // constants of this file: values.mjs says why
const { prints } = printing
const { performance } = globalThis

export class Turns {
  constructor(writer, onFatal) {
    this.writer = writer
    this.fatal = onFatal
    this.transaction = new Transaction(writer)
    this.slots = new Map()
    this.running = 0 // async turns and hooks under way
    this.pauses = [] // requests to pause every slot
    this.isStopping = false
    this.isFresh = false // no promise is being served: whatever async sources have yielded has arrived
    this.now = performance.now() // after the latest handler: one clock reading a call
    this._spare = new Turn(null) // to use again
  }

  newTurn(slot) {
    const turn = this._spare
    if (turn === null) return new Turn(slot)
    this._spare = null
    turn.reset(slot)
    return turn
  }

  /** A turn that no message causes: it uses a credit, and has a number of its own. */
  pulledTurn(slot) {
    const turn = this.newTurn(slot)
    this.spend(slot)
    turn.pulled = 1
    this.nameTurn(turn, `${slot.module}.start#${slot.turnNumber}`)
    turn.number = slot.turnNumber++
    return turn
  }

  spend(slot) {
    slot.credit--
    if (slot.credit < 0) slot.mayOwe = false
  }

  nameTurn(turn, id) { turn.context = named(turn.slot, turn, id) }

  /** What was done since the last reading was done for this slot. */
  tick(slot) {
    const now = performance.now()
    slot.busyMs += now - this.now
    this.now = now
  }

  /** Runs a handler: undefined when it has ended, else a promise of that. */
  handle(turn, context, message) {
    const slot = context._slot
    const { handler } = slot
    if (handler === null) {
      turn.fail(context, new TypeError(`${slot.module} has no handler, only a source`))
      return undefined
    }
    prints.slot = slot
    try {
      const result = slot.async ? prints.run(slot, handler, message, context) : handler(message, context)
      if (result !== undefined) {
        if (typeof result === 'object' && result !== null && isSpecial(result)) {
          if (!isIterator(result) || Symbol.asyncIterator in result) {
            slot.async = true
            prints.slot = null
            return this._handleLater(turn, context, message, result)
          }
          for (const value of result) if (value !== undefined) context._send('out', value, undefined)
        } else {
          const isNext = context._parent === null && slot.order.length === 0
          context._return(result, isNext, isNext ? slot.group.locks === 0 : context._parent !== null)
        }
      }
      turn.take(context)
    } catch (error) {
      turn.fail(context, error)
    }
    prints.slot = null
    context._over = true
    this.tick(slot)
    return undefined
  }

  async _handleLater(turn, context, message, result) {
    const started = performance.now()
    try {
      if (isIterator(result)) {
        for await (const value of result) if (value !== undefined) context._send('out', value, undefined)
      } else {
        const value = await result
        if (value !== undefined) context._return(value, false, false)
      }
      turn.take(context)
    } catch (error) {
      turn.fail(context, error)
    }
    context._over = true
    context._slot.busyMs += performance.now() - started
  }

  /** Runs what is fused behind a call, depth-first: undefined when all has ended, else a promise of that. */
  spread(turn, context, firstOutput = 0, firstTarget = 0) {
    const outputs = context._outputs
    if (outputs === null) return undefined
    for (let i = firstOutput; i < outputs.length; i++) {
      const output = outputs[i]
      const { port, headers } = output
      if (port === null) continue
      for (let j = i === firstOutput ? firstTarget : 0; j < port.targets.length; j++) {
        const target = port.targets[j]
        const child = new Context(target.slot, turn, target.port, null, 0, context, output, headers === undefined ? context._headers : headers)
        const later = this._call(turn, child, output.hand())
        if (later !== undefined) {
          for (const each of outputs) each.settle()
          return later.then(() => this.spread(turn, context, i, j + 1))
        }
      }
    }
    return undefined
  }

  _call(turn, context, message) {
    const source = context._slot.generator
    if (source !== null && source.isAsync) return this._callBesideSource(turn, context, message, source)
    return this._callNow(turn, context, message)
  }

  /** What the source has yielded goes before the message, also what has not arrived yet. */
  _callBesideSource(turn, context, message, source) {
    if (!this.isFresh) {
      this.lock(turn)
      return new Promise(platform.defer).then(() => this._callBehind(turn, context, message, source))
    }
    return this._callBehind(turn, context, message, source)
  }

  _callBehind(turn, context, message, source) {
    const later = source.holds ? source.join(turn) : undefined
    if (later === undefined) return this._callNow(turn, context, message)
    this.lock(turn)
    return later.then(() => this._callNow(turn, context, message))
  }

  _callNow(turn, context, message) {
    const later = this.handle(turn, context, message)
    if (later === undefined) return this.spread(turn, context)
    this.lock(turn)
    return later.then(() => this.spread(turn, context))
  }

  /** The root handler of a turn has ended, or will when `later` does: runs the rest of the turn when its time has come. */
  proceed(turn, later) {
    const { slot } = turn
    if (later === undefined && slot.order.length === 0 && (turn.context._outputs === null || slot.group.locks === 0)) {
      const rest = this.spread(turn, turn.context)
      if (rest === undefined) {
        this._finish(turn)
        turn.slot = null
        this._spare = turn
        return
      }
      this._enlist(turn)
      this._endLater(turn, rest)
      return
    }
    this._enlist(turn)
    if (later === undefined) {
      turn.ready = true
      return
    }
    if (slot.isTarget) this.lock(turn)
    later.then(() => {
      turn.ready = true
      this._pump(slot)
      this.resume()
    }).catch(this.fatal)
  }

  _enlist(turn) {
    turn.slot.order.push(turn)
    this.running++
  }

  /** Ends the turns of a slot whose handlers have ended, in input order. */
  _pump(slot) {
    while (slot.order.length > 0) {
      const turn = slot.order[0]
      if (!turn.ready || turn.spreading) return
      if (turn.context._outputs !== null && slot.group.locks > 0 && !turn.holding) return
      const rest = turn.dropped ? undefined : this.spread(turn, turn.context)
      if (rest !== undefined) {
        this._endLater(turn, rest)
        return
      }
      this._end(turn)
    }
  }

  _endLater(turn, rest) {
    turn.spreading = true
    rest.then(() => {
      this._end(turn)
      this._pump(turn.slot)
      this.resume()
    }).catch(this.fatal)
  }

  _end(turn) {
    const { slot } = turn
    slot.order.shift()
    this.running--
    if (!turn.dropped) this._finish(turn)
    this.unlock(turn)
    this.wake(slot)
    this.answerPauses(slot)
  }

  lock(turn) {
    if (turn.holding) return
    turn.holding = true
    turn.slot.group.locks++
  }

  unlock(turn) {
    if (!turn.holding) return
    turn.holding = false
    const { group } = turn.slot
    group.locks--
    for (const slot of this.slots.values()) {
      if (slot.group !== group) continue
      if (slot !== turn.slot) this._pump(slot)
      this.wake(slot)
    }
  }

  _finish(turn) {
    this.transaction.merge(turn)
    if (turn.held) this._holdBack(turn.slot)
    else if (turn.announce || this.transaction.isFull) this.transaction.commit()
    if (turn.onDone !== null) turn.onDone()
  }

  /** A failed message is to be tried again: it stays with the runner, and so does all that comes behind it until PAUSE. */
  _holdBack(slot) {
    slot.isHeld = true
    slot.batches.length = 0
    for (const turn of slot.order) turn.dropped = true
    this.transaction.commit()
  }
}

/** The context of what no message causes: a hook, a turn of a source. */
export function named(slot, turn, id) {
  const context = new Context(slot, turn, null, null, 0, null, 0, null)
  context._id = id
  context._isHook = true
  return context
}

/** Whether an object that a handler returned may be a promise or a generator: not if it is plain data. */
function isSpecial(result) {
  const prototype = Object.getPrototypeOf(result)
  if (prototype === Object.prototype || prototype === Array.prototype || prototype === null) return false
  return typeof result.then === 'function' || isIterator(result)
}

/** A generator, sync or async; an array's or map's iterator is none. */
export function isIterator(result) {
  return typeof result.next === 'function' && typeof result.throw === 'function'
}
