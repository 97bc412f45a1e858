// What a page has, in its browser (IndexedDB), for when it is loaded anew. Changes are noted one by one; after() writes all that have been
// noted so far, or none of them.

const DATABASE = 'runner'
const STORE = 'pages'
const OLD_MS = 7 * 24 * 3600_000 // what a page has left that does not come back

function asked(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

const allOf = (page) => IDBKeyRange.bound([page], [page, []])

export class Store {
  /** A page's part of the database; null where there is none, as in a private window of some browsers. */
  static async open(page) {
    try {
      const opening = indexedDB.open(DATABASE, 1)
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
      const found = new Store(await asked(opening), page)
      await found._forgetOld()
      return found
    } catch {
      return null
    }
  }

  constructor(database, page) {
    this._database = database
    this._page = page // the first part of each key; the rest says what it is
    this._noted = [] // [key, value]
    this._ready = [] // of these, what can be written
    this._waiting = [] // what is done then
    this._isVoid = false // what is there goes with the next write
    this._isWriting = false
  }

  async _forgetOld() {
    const store = this._database.transaction(STORE, 'readwrite').objectStore(STORE)
    for (const page of new Set((await asked(store.getAllKeys())).map(([page]) => page))) {
      const at = await asked(store.get([page, 'at']))
      if (page !== this._page && !(Date.now() - at < OLD_MS)) store.delete(allOf(page))
    }
  }

  /** Everything that is there: [key, value], in the order of the keys. */
  async read() {
    const store = this._database.transaction(STORE).objectStore(STORE)
    const [keys, values] = await Promise.all([asked(store.getAllKeys(allOf(this._page))), asked(store.getAll(allOf(this._page)))])
    return keys.map(([, ...key], at) => [key, values[at]])
  }

  /** `value` undefined: it is no more. It must not change afterwards. */
  note(key, value) { this._noted.push([key, value]) }

  /** All that was noted or written is void. */
  clear() {
    this._noted = []
    this._ready = []
    this._isVoid = true
  }

  /** Writes all that has been noted, then calls `done`. */
  after(done) {
    if (!this._isWriting && !this._isVoid && this._noted.length === 0) return done()
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
    const write = this._database.transaction(STORE, 'readwrite', { durability: 'relaxed' })
    write.oncomplete = write.onabort = () => { // aborted, as the disk is full: then it goes on as if there were none
      this._isWriting = false
      for (const done of waiting) done()
      if (this._waiting.length > 0 && !this._isWriting) this._write()
    }
    const store = write.objectStore(STORE)
    if (isVoid) store.delete(allOf(this._page))
    for (const [key, value] of changes) {
      if (value === undefined) store.delete([this._page, ...key])
      else store.put(value, [this._page, ...key])
    }
    if (changes.length > 0) store.put(Date.now(), [this._page, 'at'])
  }
}
