// What the page has done and the runner has not taken: transactions, numbered. All that is done until one can go is in it together.

import { KIND } from '../javascript/core/link.mjs'
import { bytesOf, frame, joined } from './frames.mjs'

const MOST_UNTAKEN = 32 // transactions
const FULL_BYTES = 1 << 20 // then nothing more is done that sends
const FLAG_HEADERS = 2

export class Outgoing {
  constructor() {
    this.untaken = [] // {number, bytes, isReady}
    this._number = 0
    this._sent = 0 // over this socket
    this._untakenBytes = 0
    this._clear()
  }

  _clear() {
    this._rows = new Map() // module -> [consumed, handled, failed, sent, unwired, busy_us, local]
    this._out = [] // {module, port, flags, count, body}
    this._contexts = new Map() // module -> Map(key -> text or undefined)
    this._errors = [] // {module, info, message}
    this._bytes = 0
  }

  get isFull() { return this._bytes + this._untakenBytes >= FULL_BYTES }

  row(module, counts) {
    const row = this._rows.get(module)
    if (row === undefined) this._rows.set(module, counts)
    else for (let i = 0; i < counts.length; i++) row[i] += counts[i]
  }

  send(output) {
    this._out.push(output)
    this._bytes += output.body.length
  }

  change(module, key, value) {
    if (!this._contexts.has(module)) this._contexts.set(module, new Map())
    this._contexts.get(module).set(key, value)
  }

  fail(module, info, message) {
    this._errors.push({ module, info, message })
    this._bytes += info.length + message.length
  }

  /** The next transaction, null if there is nothing or too many are under way; it can go when it `isReady`. */
  _next(most) {
    if (this._rows.size === 0 || this.untaken.length >= most) return null
    const parts = []
    for (const { flags, count, body } of this._out) parts.push(frame(KIND.DATA, { flags: flags & FLAG_HEADERS, count }, body))
    const owners = []
    for (const [module, changes] of this._contexts) {
      for (const [key, value] of changes) {
        const name = bytesOf(key)
        owners.push(module)
        parts.push(value === undefined ? frame(KIND.CONTEXT, { flags: 8, skip: name.length }, name) : frame(KIND.CONTEXT, { skip: name.length }, joined([name, bytesOf(value)])))
      }
    }
    for (const { info, message } of this._errors) {
      const about = bytesOf(info)
      parts.push(frame(KIND.ERROR, { skip: about.length }, joined([about, bytesOf(message)])))
    }
    const about = {
      rows: [...this._rows].map(([module, counts]) => [module, ...counts]),
      out: this._out.map(({ module, port }) => [module, port]),
      context: owners,
      errors: this._errors.map(({ module }) => module),
    }
    this._clear()
    parts.push(frame(KIND.COMMIT, { first: ++this._number }, bytesOf(JSON.stringify(about))))
    const bytes = joined(parts)
    return this._add(this._number, bytes, false)
  }

  _add(number, bytes, isReady) {
    const transaction = { number, bytes, isReady }
    this.untaken.push(transaction)
    this._untakenBytes += bytes.length
    return transaction
  }

  /**
   * Sends what has been done, in order, when it is kept (kept.mjs). While nothing can be sent, and nothing is kept, it grows together.
   * `send` (bytes): false if it cannot be now; null asks whether it can. `isAway`: nothing is taken before long
   */
  flush(send, kept, isAway) {
    this._pump(send)
    while (kept.isOn || send(null)) {
      const transaction = this._next(isAway ? Infinity : MOST_UNTAKEN)
      if (transaction === null) break
      kept.note(['outgoing', transaction.number], transaction.bytes)
      kept.after(() => {
        transaction.isReady = true
        this._pump(send)
      })
    }
    if (kept.isOn && this._rows.size === 0) kept.after(() => {}) // what has come, and nothing was done with yet
  }

  _pump(send) {
    for (const { number, bytes, isReady } of this.untaken) {
      if (number <= this._sent) continue
      if (!isReady || !send(null) || !send(bytes)) return
      this._sent = number
    }
  }

  /** What the page had done before it was loaded anew. */
  restore(transactions) {
    for (const { number, bytes } of transactions) this._add(number, bytes, true)
    this._number = transactions.at(-1)?.number ?? 0
  }

  /** The runner has taken all up to this number; `gone` (number) for each. */
  taken(number, gone) {
    while (this.untaken.length > 0 && this.untaken[0].number <= number) {
      const transaction = this.untaken.shift()
      this._untakenBytes -= transaction.bytes.length
      gone(transaction.number)
    }
  }

  /** A socket is there again; what the runner has heard of is not said twice. `isNew`: of a session that has heard nothing of ours. */
  again(heard, isNew) {
    this._sent = heard
    if (isNew) {
      this._number = heard
      for (const transaction of this.untaken) {
        transaction.number = ++this._number
        numbered(transaction.bytes, this._number)
      }
    } else if (heard > this._number) { // another tab has gone on with the session
      this._number = heard
      this.untaken = []
      this._untakenBytes = 0
    }
  }
}

/** Gives the transaction another number: COMMIT is its last frame. */
function numbered(bytes, number) {
  const view = new DataView(bytes.buffer)
  let at = 0
  for (let next = 0; next < bytes.length; next += 24 + view.getUint32(next, true)) at = next
  view.setUint32(at + 16, number % 4294967296, true)
  view.setUint32(at + 20, Math.floor(number / 4294967296), true)
}
