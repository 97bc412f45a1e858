// What modules print, and what they throw outside any call, becomes LOG frames of the module that did it. Sync code is known by a
// variable, async code by platform.running() where that knows it, all other code by its stack. Code that is left over from a module
// that is gone is named as such, and soon falls silent.

import { KIND, NONE } from './link.mjs'
import { clean, describe } from './errors.mjs'
import { platform } from './platform.mjs'

const LEVELS = { log: 'info', info: 'info', debug: 'debug', warn: 'warning', error: 'error' }
const MOST_LEFT_OVER = 3 // logs of a module that is gone

export const prints = {
  /** The slot whose code is running right now. */
  slot: null,
  _writer: null,
  _loader: null,

  /** Runs async user code so that what it prints later is known to be its own. */
  run(slot, code, first, second) { return platform.runAs(slot, code, first, second) },

  /** The slot that is printing, as far as can be known. */
  where() {
    return this.slot ?? platform.running() ?? this._loader.ownerOf(new Error().stack)
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
    const slot = owner ?? this.slot ?? this._loader.ownerOf(stackOf(thrown)) ?? platform.running()
    const { type, message, file, line, stack = '' } = describe(thrown, slot?.source)
    const frames = stack.split('\n').filter((frame) => /^\s+at /.test(frame))
    this.log(slot, 'error', [`${file === undefined ? '' : `${file}:${line}: `}uncaught ${type}: ${message}`, ...frames].join('\n'), true)
  },

  install(writer, loader) {
    this._writer = writer
    this._loader = loader
    for (const [method, level] of Object.entries(LEVELS)) {
      console[method] = (...values) => this.log(this.where(), level, platform.format(values))
    }
  },
}

function stackOf(thrown) {
  try {
    return String(thrown.stack)
  } catch {
    return ''
  }
}
