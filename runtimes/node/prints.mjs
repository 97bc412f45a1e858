// What modules print, and what they throw outside any call, becomes LOG frames of the module that did it. Sync code is known by a
// variable, async code by an AsyncLocalStorage (which slows every promise down: it is only made when the first async module or hook
// runs), all other code by its stack. Code that is left over from a module that is gone is named as such, and soon falls silent.

import { AsyncLocalStorage } from 'node:async_hooks'
import { format } from 'node:util'
import { KIND, NONE } from './link.mjs'
import { clean, describe } from './errors.mjs'
import { ownerOf } from './loader.mjs'

const LEVELS = { log: 'info', info: 'info', debug: 'debug', warn: 'warning', error: 'error' }
const MOST_LEFT_OVER = 3 // logs of a module that is gone

export const prints = {
  /** The slot whose code is running right now. */
  slot: null,
  _storage: null,
  _writer: null,

  /** Runs async user code so that what it prints later is known to be its own. */
  run(slot, code, first, second) {
    this._storage ??= new AsyncLocalStorage()
    return this._storage.run(slot, code, first, second)
  },

  /** The slot that is printing, as far as can be known. */
  where() {
    return this.slot ?? this._storage?.getStore() ?? ownerOf(new Error().stack)
  },

  log(slot, level, text, isStray = false) {
    if (slot !== null && (slot.isGone || (isStray && slot.isStopped))) {
      if (slot.leftOver++ >= MOST_LEFT_OVER) return
      const owner = slot.isGone ? `an old version of ${slot.module}` : `${slot.module}, which has been stopped,`
      const last = slot.leftOver === MOST_LEFT_OVER ? '; what else it has to say is not shown' : ''
      text = `a timer or promise of ${owner} is left over${last}: ${text}`
      if (slot.isGone) slot = null
    }
    const body = JSON.stringify({ level: String(level), text: clean(String(text)) })
    this._writer.frame(KIND.LOG, 0, slot === null ? NONE : slot.number, 0, 0, 0, body)
    this._writer.flush() // at once: the next statement may be the host's last
  },

  /** An error that no call of a module has raised: it must not end its neighbours. */
  stray(thrown, owner = null) {
    const slot = owner ?? this.slot ?? ownerOf(stackOf(thrown)) ?? this._storage?.getStore() ?? null
    const { type, message, file, line, stack = '' } = describe(thrown, slot?.source)
    const frames = stack.split('\n').filter((frame) => /^\s+at /.test(frame))
    this.log(slot, 'error', [`${file === undefined ? '' : `${file}:${line}: `}uncaught ${type}: ${message}`, ...frames].join('\n'), true)
  },

  install(writer) {
    this._writer = writer
    for (const [method, level] of Object.entries(LEVELS)) {
      console[method] = (...values) => this.log(this.where(), level, format(...values))
    }
    for (const [stream, level] of [[process.stdout, 'info'], [process.stderr, 'error']]) {
      stream.write = (chunk, encoding, done) => {
        const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
        this.log(this.where(), level, text.endsWith('\n') ? text.slice(0, -1) : text)
        const callback = typeof encoding === 'function' ? encoding : done
        if (callback) process.nextTick(callback)
        return true
      }
    }
    process.on('uncaughtException', (error) => this.stray(error))
    process.on('unhandledRejection', (error) => this.stray(error))
  },
}

function stackOf(thrown) {
  try {
    return String(thrown.stack)
  } catch {
    return ''
  }
}
