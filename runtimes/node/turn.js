'use strict'
// One root turn: what its handler calls have produced so far. Nothing of it is visible outside until it is merged into
// the transaction; the engine decides when.

const { encode } = require('./codec')
const { describe } = require('./errors')
const { FLAG } = require('./link')
const { tooLarge } = require('./context')

class Turn {
  constructor(slot) {
    this.calls = [] // six values a call: slot, handled, failed, sent, unwired, fused; arrays are reused, hence the counts
    this.outputs = [] // three values an output: port, json (or its bytes on the sheet), headers
    this.reset(slot)
  }

  reset(slot) {
    this.slot = slot
    this.context = null // of the root call
    this.callCount = 0
    this.outputCount = 0
    this.errors = null
    this.changes = null // [slot, key, entry, entry before], ...
    this.chars = 0
    this.isData = false // begun by a message of the runner
    this.consumed = 0
    this.pulled = 0
    this.number = 0
    this.isQuiet = false // a hook or the end of a source: not a handler call
    this.announce = false
    this.tooLarge = false
    this.held = false
    this.holding = false // its group's lock
    this.ready = false // the root handler has ended
    this.spreading = false // what is fused behind it runs
    this.dropped = false // begun behind a held message: to be delivered again
    this.onDone = null
  }

  /** A handler call that returned: its outputs and changes are the turn's now. */
  take(context) {
    const slot = context._slot
    const isFused = context._parent !== null
    this._count(slot, this.isQuiet && !isFused ? 0 : 1, 0, context._sent, context._unwired, isFused ? 1 : 0)
    this.chars += context._chars
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
      for (const [key, stored] of context._changes) this.changes.push([slot, key, stored, slot.change(key, stored)])
    }
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
      message: isFused ? sent(context._output) : '',
    })
  }

  /** Whether all outputs together are over the limit; exact only when it is close. */
  isTooLarge() {
    const limit = this.slot.maxTurnBytes
    if (this.tooLarge) return true
    if (this.chars * 3 <= limit) return false
    let bytes = 0
    for (let i = 0; i < this.outputCount; i += 3) bytes += sizeOf(this.outputs[i + 1])
    if (this.changes !== null) for (const [, , stored] of this.changes) bytes += stored === undefined ? 0 : stored.bytes
    return bytes > limit
  }

  /** Undoes the whole turn; the message of its root fails with TurnTooLarge. */
  rollBack() {
    if (this.changes !== null) for (const [slot, key, , before] of this.changes.reverse()) slot.change(key, before)
    this.callCount = this.outputCount = 0
    this.changes = this.errors = null
    this.fail(this.context, tooLarge(this.slot))
  }
}

function sizeOf(json) { return typeof json === 'number' ? json : Buffer.byteLength(json) }

/** A fused message as it was sent. */
function sent({ json, value }) {
  try {
    return json ?? encode(value)
  } catch {
    return 'null' // a getter or toJSON does otherwise now
  }
}

module.exports = { Turn }
