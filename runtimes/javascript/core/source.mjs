// A generator that `start` returned: advanced as long as the slot has credit, one turn a value (PROTOCOL.md section 6).

import { KIND } from './link.mjs'
import { prints } from './prints.mjs'
import { named } from './turns.mjs'

export class Source {
  constructor(engine, slot, iterator, context) {
    this._engine = engine
    this._slot = slot
    this._iterator = iterator
    this._context = context // the one that `start` was given: collects what happens between two yields
    this.isAsync = Symbol.asyncIterator in iterator
    this._result = null // {value, done} or {error}, not yet a turn
    this._isAdvancing = false
    this._isClosed = false
    this._isNext = false
  }

  /** What it has yielded goes before messages that have not begun; else it and they take turns. */
  takesTurn() {
    if (this.holds || this._slot.batches.length === 0) return true
    this._isNext = !this._isNext
    return this._isNext
  }

  /** A value is here that is no turn yet. */
  get holds() { return this._result !== null }

  /** Takes one step; false when it must wait for credit or for the generator. */
  step() {
    const slot = this._slot
    if (this._result === null) {
      if (this._isAdvancing || slot.credit <= 0) return false
      this._advance()
      if (this._result === null) return false
    }
    const { value, done, error } = this._result
    if (error !== undefined) this._fail(error.thrown)
    else if (done) this._finish()
    else if (slot.credit <= 0 && !(slot.mayOwe && slot.batches.length > 0)) return false
    else this._yield(value)
    this._result = null
    return true
  }

  _advance() {
    const context = this._context
    context._over = false
    prints.slot = this._slot
    try {
      if (this.isAsync) {
        this._isAdvancing = true
        this._engine.advancing++
        const next = prints.run(this._slot, () => this._iterator.next())
        Promise.resolve(next).then((result) => this._arrive(result), (thrown) => this._arrive({ error: { thrown } }))
          .catch(this._engine.fatal)
      } else {
        this._result = this._iterator.next()
      }
    } catch (thrown) {
      this._result = { error: { thrown } }
    }
    prints.slot = null
    if (!this.isAsync) context._over = true
    this._engine.tick(this._slot)
  }

  /** An async generator's value is no turn yet: a PAUSE that came meanwhile has taken the credit. */
  _arrive(result) {
    this._isAdvancing = false
    this._engine.advancing--
    this._context._over = true
    if (this._isClosed) return
    this._result = result
    this._engine.wake(this._slot)
    this._engine.resume()
  }

  /**
   * A message of this turn comes to the module: what is here goes before it, and whatever becomes of one becomes of both. Undefined when
   * that has ended, else a promise of it.
   */
  join(turn) {
    const { value, done, error } = this._result
    if (done || error !== undefined) {
      this.step()
      return undefined
    }
    const { _engine: engine, _slot: slot } = this
    const context = named(slot, turn, `${slot.module}.start#${slot.turnNumber}`)
    this._context._moveTo(context)
    this._result = null
    try {
      if (value !== undefined) context._send('out', value, undefined)
      turn.take(context)
    } catch (thrown) {
      this._fail(thrown)
      return undefined
    }
    context._over = true
    engine.spend(slot)
    slot.turnNumber++
    turn.joined ??= []
    turn.joined.push(slot)
    engine.wake(slot)
    return engine.spread(turn, context)
  }

  _yield(value) {
    const turn = this._engine.pulledTurn(this._slot)
    this._context._moveTo(turn.context)
    let failure = null
    try {
      if (value !== undefined) turn.context._send('out', value, undefined)
      turn.take(turn.context)
    } catch (thrown) {
      failure = thrown
      turn.fail(turn.context, thrown)
      this._close(false, turn)
    }
    turn.context._over = true
    this._engine.tick(this._slot)
    this._engine.proceed(turn, undefined)
    if (failure !== null && !this.isAsync) this._end()
  }

  /** The generator's own clean-up. */
  _end() {
    try {
      this._iterator.return?.()
    } catch (error) {
      prints.stray(error, this._slot)
    }
  }

  _finish() {
    const turn = this._engine.newTurn(this._slot)
    this._engine.nameTurn(turn, `${this._slot.module}.start#${this._slot.turnNumber}`)
    turn.isQuiet = true
    this._context._moveTo(turn.context)
    let ok = true
    try {
      turn.take(turn.context)
    } catch (error) { // too much at last
      turn.fail(turn.context, error)
      ok = false
    }
    turn.context._over = true
    this._close(ok, turn)
    this._engine.proceed(turn, undefined)
  }

  _fail(thrown) {
    const turn = this._engine.newTurn(this._slot)
    this._engine.nameTurn(turn, `${this._slot.module}.start#${this._slot.turnNumber}`)
    turn.number = this._slot.turnNumber
    turn.fail(turn.context, thrown)
    this._close(false, turn)
    this._engine.proceed(turn, undefined)
  }

  /** The source ends with this turn: FINISHED follows its commit. */
  _close(ok, turn) {
    const { _engine: engine, _slot: slot } = this
    this._isClosed = true
    slot.generator = null
    turn.onDone = () => {
      engine.transaction.commit()
      engine.writer.frame(KIND.FINISHED, 0, slot.number, 0, 0, 0, JSON.stringify({ ok }))
      engine.writer.flush()
    }
  }

  /** Before `stop`: the generator's own clean-up runs, unless it hangs in a wait of its own. */
  async close() {
    this._isClosed = true
    this._slot.generator = null
    const wasAdvancing = this._isAdvancing
    const closed = prints.run(this._slot, () => this._iterator.return?.())
    if (wasAdvancing) Promise.resolve(closed).catch((error) => prints.stray(error, this._slot))
    else await closed
  }
}
