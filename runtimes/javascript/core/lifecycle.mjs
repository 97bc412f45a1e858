// LOAD, UNLOAD, WIRES and CALL: what happens to a slot between turns.

import { isIterator, named } from './turns.mjs'
import { ConfigError, CreditError, describe } from './errors.mjs'
import { KIND } from './link.mjs'
import { platform } from './platform.mjs'
import { prints } from './prints.mjs'
import { Slot, OutPort } from './slot.mjs'
import { Source } from './source.mjs'
import { Turn } from './turn.mjs'

export class Lifecycle {
  constructor(engine, loader) {
    this._engine = engine
    this._loader = loader
    this.channels = new Map() // of the host's input: {slot, port, wire}
  }

  _result(slot, request, result) {
    const { writer } = this._engine
    writer.frame(KIND.RESULT, 0, slot, 0, 0, request, JSON.stringify(result))
    writer.flush()
  }

  load(number, request, spec) {
    const engine = this._engine
    let code = null
    let slot = null
    const fail = (error) => {
      if (slot !== null && engine.slots.get(number) === slot) engine.slots.delete(number)
      if (code !== null) code.remove()
      this._result(number, request, { ok: false, error: describe(error, code) })
    }
    const succeed = ({ handler, hooks }) => {
      Object.assign(slot, { handler, hooks, loading: false, async: isAsync(handler) })
      this._result(number, request, { ok: true, hooks: Object.keys(hooks) })
      engine.wake(slot)
      engine.schedule()
    }
    try {
      slot = new Slot(number, spec, engine)
      engine.slots.set(number, slot)
      prints.slot = slot
      code = slot.source = this._loader.load(spec, slot)
      const checked = (functions) => {
        refuseConfig(functions.checkConfig?.(spec.config))
        return functions
      }
      const loaded = prints.run(slot, () => {
        const functions = code.run()
        return functions instanceof Promise ? functions.then(checked) : checked(functions)
      })
      if (loaded instanceof Promise) loaded.then(succeed, fail).catch(engine.fatal)
      else succeed(loaded)
    } catch (error) {
      fail(error)
    }
    prints.slot = null
  }

  unload(number, request) {
    const engine = this._engine
    const slot = engine.slots.get(number)
    if (slot !== undefined) {
      engine.transaction.commit()
      this._handOver(slot)
      engine.slots.delete(number)
      slot.isGone = true
      for (const { reject } of slot.unsure.splice(0)) reject(new Error(`${slot.module} has been replaced`))
      this._cutChannels(slot)
      slot.forget()
      slot.generator = null
      if (slot.source !== null) slot.source.remove()
      engine.rewired()
    }
    this._result(number, request, { ok: true })
  }

  /** What waits for credit is sent by the module's next version, if that is here. */
  _handOver(slot) {
    const { flow, module } = slot
    const left = slot.sends.splice(0)
    for (const send of left) {
      if (send.isPaid) this._engine.running--
      send.isPaid = false // it was this slot's credit
    }
    const next = [...this._engine.slots.values()].findLast((other) => other !== slot && other.flow === flow && other.module === module)
    if (next !== undefined) next.sends.unshift(...left)
    else if (left.length > 0) {
      prints.log(slot, 'warning', `it ended before ${left.length} of its messages, sent outside any turn, could be handed on`)
      for (const { reject } of left) reject?.(new CreditError(`${module} ended before this could be sent`))
    }
  }

  _cutChannels(slot) {
    for (const channel of slot.channels.splice(0)) if (this.channels.get(channel)?.slot === slot) this.channels.delete(channel)
  }

  wire(slot, wires) {
    const engine = this._engine
    engine.transaction.commit() // the old ports may hold messages
    this._cutChannels(slot)
    slot.channels = Object.keys(wires.in).map(Number)
    for (const channel of slot.channels) {
      const [port, wire] = wires.in[channel]
      this.channels.set(channel, { slot, port, wire })
    }
    slot.out = new Map()
    for (const [name, { channel, ids, fused }] of Object.entries(wires.out)) {
      const targets = fused.map(([number, port]) => ({ slot: engine.slots.get(number), port }))
      if (targets.some((target) => target.slot === undefined)) throw new Error(`WIRES of ${slot.module}: a fused target is not loaded`)
      slot.out.set(name, new OutPort(name, channel, ids, targets))
    }
    slot.outPort = slot.out.get('out')
    engine.rewired()
  }

  call(slot, request, { hook, turns, from_version: fromVersion, context }) {
    slot.calls.push(() => {
      this._runHook(slot, hook, turns, fromVersion, context).then(
        (result) => this._answerCall(slot, request, result),
        (error) => this._answerCall(slot, request, { ok: false, error: describe(error, slot.source) }),
      ).catch(this._engine.fatal)
    })
    this._engine.wake(slot)
  }

  _answerCall(slot, request, result) {
    const engine = this._engine
    slot.hooking = false
    engine.running--
    engine.transaction.commit()
    this._result(slot.number, request, result)
    engine.answerPauses(slot)
    engine.wake(slot)
    engine.schedule()
  }

  async _runHook(slot, hook, turns, fromVersion, given) {
    const engine = this._engine
    slot.hooking = true
    engine.running++
    const failures = []
    if (hook !== 'migrate' && slot.generator !== null) await slot.generator.close().catch((error) => failures.push(error))
    if (hook === 'start') slot.begin(turns || 0)
    if (given !== undefined) slot.setContext(given)
    if (hook === 'start') for (const error of failures.splice(0)) prints.stray(error, slot)
    const source = await this._callHook(slot, hook, fromVersion).catch((error) => { failures.unshift(error) })
    if (hook === 'stop') slot.isStopped = true
    for (const error of failures.slice(1)) prints.stray(error, slot)
    if (failures.length > 0) throw failures[0]
    return source === null ? { ok: true } : { ok: true, source }
  }

  /** Whether what the hook gave is a source, null if the module does not have the hook. */
  async _callHook(slot, hook, fromVersion) {
    const engine = this._engine
    const code = slot.hooks[hook]
    if (code === undefined) return null
    // The user keeps `context`; what it has collected moves to the turn's own.
    const context = named(slot, new Turn(slot), `${slot.module}.${hook}`)
    let result
    prints.slot = slot
    try {
      result = prints.run(slot, code, context, fromVersion)
      prints.slot = null
      if (!isGenerator(result)) result = await result
    } finally {
      prints.slot = null
      context._over = true
    }
    if (hook !== 'start' && isGenerator(result)) throw new TypeError(`${hook} is a generator: nothing of it would run`)
    const values = hook === 'start' ? valuesOf(result) : null
    const turn = new Turn(slot)
    engine.nameTurn(turn, context._id)
    turn.isQuiet = true
    context._moveTo(turn.context)
    turn.take(turn.context)
    await this._finishHook(turn)
    if (values !== null) slot.generator = new Source(engine, slot, values, context)
    return values !== null
  }

  /** Runs what is fused behind the hook's sends, alone in its group, and merges it all. */
  async _finishHook(turn) {
    const engine = this._engine
    if (turn.context._outputs !== null) {
      while (turn.slot.group.locks > 0) await new Promise(platform.defer)
      engine.lock(turn)
      await engine.spread(turn, turn.context)
      engine.unlock(turn)
    }
    engine.transaction.merge(turn)
  }
}

/** `checkConfig` gives what is wrong with a config: the field, `to` or `to.hot`, and the end of a sentence about it. */
function refuseConfig(wrong) {
  if (typeof wrong?.then === 'function') throw new TypeError('checkConfig has given a promise: it has to answer at once')
  const fields = Object.entries(wrong ?? {})
  if (fields.length > 0) throw new ConfigError(fields[0][0], fields.map(([field, text]) => `\`config.${field}\` ${text}`).join('; '))
}

function isAsync(handler) {
  return handler !== null && /^Async/.test(Object.getPrototypeOf(handler).constructor?.name)
}

function isGenerator(result) {
  return typeof result === 'object' && result !== null && isIterator(result)
}

/** What a source that `start` gave is advanced by: a generator, another iterator, a stream; null if it is none of these. */
function valuesOf(result) {
  if (typeof result !== 'object' || result === null) return null
  if (isIterator(result)) return result
  if (typeof result[Symbol.asyncIterator] === 'function') return result[Symbol.asyncIterator]()
  return typeof result.next === 'function' && typeof result[Symbol.iterator] === 'function' ? result : null
}
