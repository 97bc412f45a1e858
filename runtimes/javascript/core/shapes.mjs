// Copies objects whose keys come again and again by a function made for those keys: reading known fields into a literal takes half the
// time of a loop, and the copy needs half the memory. Knows nothing of what a field may be.

const MOST_KEYS = 64
const MOST_COPIERS = 500
const MOST_SEEN = 1000
const TIMES = 3 // seen before a function is made: objects that are dictionaries have no shape

export class Shapes {
  /** `take(item, depth)` gives the copy of a field; undefined: the field is left out. `isFit(key)`: it may be in a literal. */
  constructor(take, isFit) {
    this._take = take
    this._isFit = isFit
    this._known = new Map() // first key -> [{keys, size, copy}]
    this._count = 0
    this._seen = new Map() // others
  }

  /** What is known of objects of these keys, or null: `copy(object, depth)`, and `size`, of the keys as text, at least. */
  find(keys) {
    const alike = this._known.get(keys[0])
    if (alike !== undefined) for (let i = 0; i < alike.length; i++) if (isSame(alike[i].keys, keys)) return alike[i]
    return keys.length > 0 && keys.length <= MOST_KEYS && this._count < MOST_COPIERS ? this._meet(keys) : null
  }

  _meet(keys) {
    const name = `${keys.length} ${keys[0]} ${keys[keys.length - 1]}`
    const seen = this._seen.get(name)
    if (seen === undefined || !isSame(seen.keys, keys)) {
      if (this._seen.size === MOST_SEEN) this._seen.clear()
      this._seen.set(name, { keys, times: 1 })
      return null
    }
    if (++seen.times !== TIMES || !keys.every(this._isFit)) return null
    const copy = this._make(keys)
    if (copy === null) return null
    const shape = { keys, size: keys.join('').length + keys.length, copy }
    this._known.set(keys[0], [...this._known.get(keys[0]) ?? [], shape])
    this._count++
    this._seen.delete(name)
    return shape
  }

  /** null where no text may be run as code, as in a page with such a policy. */
  _make(keys) {
    const names = keys.map((_, i) => `v${i}`)
    const texts = keys.map((key) => JSON.stringify(key))
    const code = `return (object, depth) => {
      ${names.map((name, i) => `const ${name} = take(object[${texts[i]}], depth)`).join('\n')}
      if (${names.map((name) => `${name} === undefined`).join(' || ')}) return sparse([${texts}], [${names}])
      return { ${names.map((name, i) => `${texts[i]}: ${name}`)} }
    }`
    try {
      return new Function('take', 'sparse', code)(this._take, sparse)
    } catch (error) {
      if (!(error instanceof EvalError)) throw error
      this._count = MOST_COPIERS
      return null
    }
  }
}

function isSame(one, other) {
  if (one.length !== other.length) return false
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false
  return true
}

/** An object without the fields that are undefined. */
function sparse(keys, items) {
  const fields = {}
  for (let i = 0; i < keys.length; i++) if (items[i] !== undefined) fields[keys[i]] = items[i]
  return fields
}
