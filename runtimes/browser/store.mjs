// What a page has, in its browser (IndexedDB), for when it is loaded anew. Changes are noted one by one; after() writes all that have been
// noted so far, or none of them. Whoever has read it last has it: another one, as the page before a reload, writes nothing any more.

const DATABASE = 'runner'
const STORE = 'pages'
const OLD_MS = 7 * 24 * 3600_000 // what a page has left that does not come back

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

const allOf = (page, isOpen = true) => IDBKeyRange.bound([page], [page, []], isOpen) // but for [page], unless it is not open: whose it is

export class Store {
  /** A page's part of the database; null where there is none, as in a private window of some browsers. `lost` (): another has it now. */
  static async open(page, lost = () => {}) {
    try {
      const opening = indexedDB.open(DATABASE, 1)
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
      const found = new Store(await asked(opening), page, lost)
      await found._forgetOld()
      return found
    } catch {
      return null
    }
  }

  constructor(database, page, lost) {
    this._database = database
    this._page = page // the first part of each key; the rest says what it is
    this._lost = lost
    this._owner = crypto.getRandomValues(new Uint32Array(4)).join()
    this._noted = [] // [key, value]
    this._isCleared = false // nothing but that is to be there
    this._ready = [] // of these, what can be written
    this._isVoid = false // what is there goes with the next write
    this._waiting = [] // what is done then
    this._isWriting = false
    this._isBroken = false // it takes nothing, as the disk is full
  }

  async _forgetOld() {
    const store = this._database.transaction(STORE, 'readwrite').objectStore(STORE)
    for (const page of new Set((await asked(store.getAllKeys())).map(([page]) => page))) {
      const owned = await asked(store.get([page]))
      if (page !== this._page && !(Date.now() - owned?.at < OLD_MS)) store.delete(allOf(page, false))
    }
  }

  _own(store) { store.put({ owner: this._owner, at: Date.now() }, [this._page]) }

  /** Everything that is there: [key, value], in the order of the keys. It is ours from now on. */
  async take() {
    const store = this._database.transaction(STORE, 'readwrite').objectStore(STORE)
    this._own(store)
    const [keys, values] = await Promise.all([asked(store.getAllKeys(allOf(this._page))), asked(store.getAll(allOf(this._page)))])
    return keys.map(([, ...key], at) => [key, values[at]])
  }

  /** `value` undefined: it is no more. It must not change afterwards. */
  note(key, value) { this._noted.push([key, value]) }

  /** What was noted or written is void, as soon as what is noted from now on is written. */
  clear() {
    this._noted = []
    this._isCleared = true
  }

  /** Writes all that has been noted, then calls `done`. */
  after(done) {
    if (!this._isWriting && !this._isCleared && this._noted.length === 0) return done()
    if (this._isCleared) Object.assign(this, { _ready: [], _isVoid: true, _isCleared: false })
    for (const change of this._noted) this._ready.push(change)
    this._noted = []
    this._waiting.push(done)
    if (!this._isWriting) this._write()
    return undefined
  }

  _write() {
    this._isWriting = true
    const { _ready: changes, _waiting: waiting, _isVoid: isVoid } = this
    Object.assign(this, { _ready: [], _waiting: [], _isVoid: false })
    let isLost = false
    let write
    try {
      write = this._database.transaction(STORE, 'readwrite', { durability: 'relaxed' })
    } catch { // closed under us, as the data of the site were cleared: it goes on as if there were no store
      return this._written(waiting)
    }
    write.oncomplete = () => this._written(waiting)
    write.onabort = () => {
      if (isLost) this._lost()
      else this._fails(waiting)
    }
    const store = write.objectStore(STORE)
    store.get([this._page]).onsuccess = ({ target: { result: owned } }) => {
      if (owned === undefined || owned.owner === this._owner) return
      isLost = true
      write.abort()
    }
    if (isVoid) store.delete(allOf(this._page))
    if (this._isBroken || changes.length === 0) return undefined
    for (const [key, value] of changes) {
      if (value === undefined) store.delete([this._page, ...key])
      else store.put(value, [this._page, ...key])
    }
    this._own(store)
    return undefined
  }

  _written(waiting) {
    this._isWriting = false
    for (const done of waiting) done()
    if (this._waiting.length > 0 && !this._isWriting) this._write()
  }

  /** The disk is full: it goes on as if there were no store. What is there, and now is old, has to go first. */
  _fails(waiting) {
    this._isVoid = true
    if (this._isBroken) return this._written(waiting)
    this._isBroken = true
    this._waiting.unshift(...waiting)
    return this._write()
  }
}
