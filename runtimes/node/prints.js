'use strict'
// What modules print becomes LOG frames with the slot that printed. Sync code is known by a variable; the
// AsyncLocalStorage, which slows every promise down, is only made when the first async module or hook runs.

const { AsyncLocalStorage } = require('node:async_hooks')
const { format } = require('node:util')
const { KIND, NONE } = require('./link')
const { clean } = require('./errors')

const LEVELS = { log: 'info', info: 'info', debug: 'debug', warn: 'warning', error: 'error' }

const prints = {
  /** The slot whose code is running right now. */
  slot: NONE,
  _storage: null,
  _writer: null,

  /** Runs async user code so that what it prints later is known to be its own. */
  run(slot, code, first, second) {
    this._storage ??= new AsyncLocalStorage()
    return this._storage.run(slot, code, first, second)
  },

  /** The slot that is printing, as far as can be known. */
  where() {
    if (this.slot !== NONE || this._storage === null) return this.slot
    return this._storage.getStore() ?? NONE
  },

  log(slot, level, text) {
    const body = JSON.stringify({ level: String(level), text: clean(String(text)) })
    this._writer.frame(KIND.LOG, 0, slot, 0, 0, 0, body)
    this._writer.flush() // at once: the next statement may be the host's last
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
    // A stray timer or promise of one module must not end its neighbours.
    const stray = (error) => this.log(this.where(), 'error', `uncaught: ${(error && error.stack) || error}`)
    process.on('uncaughtException', stray)
    process.on('unhandledRejection', stray)
  },
}

module.exports = { prints }
