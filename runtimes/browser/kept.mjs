// What of a page outlives it: what waits for its modules, their contexts, what the runner of the flow has not taken. Noted while messages
// are between two hosts of the page, or the gateway is away; all else the runner of the flow has, too. Nothing goes to the runner before
// what it comes from is written: else a page that is loaded anew would do that again.

import { FLAG } from '../javascript/core/link.mjs'

export class Kept {
  /** `store`: null if there is none; `page`: the runner. */
  constructor(store, page) {
    this._store = store
    this._page = page
    this._parcels = new Map() // number -> what is noted of it
    this._count = 0
    this._isWanted = false
    this.isOn = false // something is there, or about to be
  }

  /** Whether it is needed from now on. */
  want(isWanted) {
    if (this._store === null || isWanted === this._isWanted) return
    this._isWanted = isWanted
    if (isWanted) {
      this.isOn = true
      this.begin()
    } else {
      this._clear()
      this._store.after(() => { this.isOn = this._isWanted })
    }
  }

  /** What is there is somebody else's from now on. */
  leave() {
    this._store = null
    this.isOn = this._isWanted = false
  }

  /** All that there is is noted anew. */
  begin() {
    if (!this._isWanted) return
    this._clear()
    const { session, client, received, instances, outgoing, early } = this._page
    this.note(['session'], { session, client })
    this.note(['received'], received)
    for (const instance of instances.values()) {
      this.module(instance)
      for (const [key, value] of instance.context) this.note(['context', instance.module, key], value)
      for (const parcel of [...instance.window, ...instance.queue]) this.parcel(instance.module, parcel)
    }
    for (const [module, parcel] of early) this.parcel(module, parcel)
    for (const { number, bytes } of outgoing.untaken) this.note(['outgoing', number], bytes)
  }

  _clear() {
    this._store.clear()
    this._parcels.clear()
  }

  note(key, value) { if (this._isWanted) this._store.note(key, value) }

  /** Calls `done` when all that is noted outlives the page. */
  after(done) {
    if (this.isOn) this._store.after(done)
    else done()
  }

  module({ module, turns, numbers }) { this.note(['module', module], { turns, numbers: [...numbers] }) }

  /** A parcel waits for a module. */
  parcel(module, parcel) {
    if (!this._isWanted) return
    parcel.number = ++this._count
    const { port, wire, body, flags, skip, count, first, isRemote } = parcel
    this._noteParcel(parcel.number, { module, port, wire, body, flags, skip, count, first, isRemote })
  }

  /** So many of its messages are done. */
  done({ number }, count) {
    const noted = this._parcels.get(number)
    if (noted !== undefined) this._noteParcel(number, { ...noted, skip: noted.skip + count, first: noted.first + count, count: noted.count - count })
  }

  _noteParcel(number, noted) {
    if (noted.count > 0) this._parcels.set(number, noted)
    else this._parcels.delete(number)
    this.note(['parcel', number], noted.count > 0 ? noted : undefined)
  }

  /** The runner goes on where the page of this session was when it was left. Returns the name of its client, '' if nothing is there. */
  async restore(session) {
    if (this._store === null) return ''
    const page = this._page
    const left = await this._store.take()
    const known = left.find(([[kind]]) => kind === 'session')?.[1]
    if (known === undefined || known.session !== session) return ''
    const outgoing = []
    Object.assign(page, known)
    for (const [[kind, name, key], value] of left) {
      if (kind === 'received') page.received = value
      else if (kind === 'outgoing') outgoing.push({ number: name, bytes: value })
      else if (kind === 'context') page.instance(name).context.set(key, value)
      else if (kind === 'module') Object.assign(page.instance(name), { turns: value.turns, numbers: new Map(value.numbers) })
      else if (kind === 'parcel') page.instance(value.module).add({ ...value, flags: value.flags | FLAG.REDELIVERED })
    }
    page.outgoing.restore(outgoing)
    page.hasInside = true // until it is known what runs
    this.want(true)
    return page.client
  }
}
