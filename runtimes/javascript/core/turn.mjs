// One root turn: what its handler calls have produced so far. Nothing of it is visible outside until it is merged into
// the transaction; the engine decides when.

import { describe } from './errors.mjs'
import { FLAG, MAX_BODY_BYTES } from './link.mjs'
import { platform } from './platform.mjs'

export class Turn {
  constructor(slot) {
    this.calls = [] // six values a call: slot, handled, failed, sent, unwired, fused; arrays are reused, hence the counts
    this.outputs = [] // three values an output: port, json (or its bytes in the buffer), headers
    this.reset(slot)
  }

  reset(slot) {
    this.slot = slot
    this.context = null // of the root call
    this.callCount = 0
    this.outputCount = 0
    this.errors = null
    this.changes = null // [slot, key, entry], ...
    this.bytes = 0
    this.isData = false // begun by a message of the runner
    this.consumed = 0
    this.pulled = 0
    this.number = 0
    this.isQuiet = false // a hook or the end of a source: not a handler call
    this.announce = false
    this.held = false
    this.holding = false // its group's lock
    this.ready = false // the root handler has ended
    this.spreading = false // what is fused behind it runs
    this.dropped = false // begun behind a held message: to be delivered again
    this.onDone = null
    this.joined = null // slots whose sources' turns are part of it
  }

  /** A handler call that returned: its outputs and changes are the turn's now. Throws if they are too large. */
  take(context) {
    const slot = context._slot
    const isFused = context._parent !== null
    if (context._bytes === Infinity) throw context._overflow()
    this._count(slot, this.isQuiet && !isFused ? 0 : 1, 0, context._sent, context._unwired, isFused ? 1 : 0)
    if (context._json !== null) {
      const port = slot.outPort
      const headers = context._headers === null && !port.ids ? null : context._headersText(port, undefined, context._count)
      this._output(port, context._json, headers)
    } else if (context._outputs !== null) {
      for (const output of context._outputs) {
        if (output.json === null) continue
        this._output(output.port, output.json, context._headersText(output.port, output.headers, output.index))
      }
    }
    if (context._changes !== null) {
      this.changes ??= []
      for (const [key, stored] of context._changes) {
        slot.change(key, stored)
        this.changes.push([slot, key, stored])
        if (stored !== undefined) this.bytes += stored.bytes
      }
    }
    if (isFused && this.bytes > MAX_BODY_BYTES) endUnfinished(this.bytes)
  }

  _count(slot, handled, failed, sent, unwired, fused) {
    const { calls } = this
    const at = this.callCount
    calls[at] = slot
    calls[at + 1] = handled
    calls[at + 2] = failed
    calls[at + 3] = sent
    calls[at + 4] = unwired
    calls[at + 5] = fused
    this.callCount = at + 6
  }

  _output(port, json, headers) {
    const { outputs } = this
    const at = this.outputCount
    outputs[at] = port
    outputs[at + 1] = json
    outputs[at + 2] = headers
    this.outputCount = at + 3
    this.bytes += typeof json === 'number' ? json : json.length
  }

  /** A handler call that raised: its ERROR is all that is left of it. */
  fail(context, error) {
    const slot = context._slot
    context._outputs = context._json = context._changes = null
    const isFused = context._parent !== null
    this._count(slot, 1, 1, 0, 0, isFused ? 1 : 0)
    const isData = !isFused && this.isData
    if (isData && slot.retry) {
      this.held = true
      this.consumed = 0
    }
    const info = JSON.stringify({
      error: describe(error, slot.source), port: context._port, id: context.messageId, headers: context._headers,
    })
    this.errors ??= []
    this.errors.push({
      slot, info, flags: this.held ? FLAG.HELD : 0, number: isFused ? 0 : this.number, isData,
      message: isFused ? context._output.text() : '',
    })
  }
}

/**
 * What one message has set off by way of fused wires is too much for one transaction. Each call is within its limit, so nothing may be
 * refused: the host ends, and the runner has the message done again, one module at a time.
 */
function endUnfinished(bytes) {
  platform.exit(4, `${bytes} bytes behind one message by way of fused wires: it is done again unfused`)
}
