// `node node_sheet.mjs SEED VALUES`: writes values the node host's fast way and its exact one and fails where they differ; prints how many
// were written, left to the exact way, and refused by it.

import '../../runtimes/node/platform.mjs'
import { encodeAny } from '../../runtimes/javascript/core/codec.mjs'
import * as sheet from '../../runtimes/javascript/core/sheet.mjs'

const outcome = (write) => { try { return write() } catch (error) { return `${error.name}: ${error.message}` } }
const seen = { plain: 0, left: 0, refused: 0 }

function compare(value) {
  const exact = outcome(() => encodeAny(value))
  const fast = outcome(() => sheet.plainText(value))
  if (fast === null) {
    seen[String(exact).startsWith('DataError') ? 'refused' : 'left']++
    for (let i = 0; sheet.plainText(0) !== '0'; i++) if (i > 100) throw new Error('plain data is never tried again')
    return false
  }
  if (fast !== exact) throw new Error(`${fast} instead of ${exact}`)
  seen.plain++
  if (seen.plain % 3 === 0) { // the place on the sheet must not matter, nor what is kept there
    const size = sheet.writePlain(value)
    if (size !== Buffer.byteLength(exact)) throw new Error(`${size} bytes: ${exact}`)
    const start = sheet.keep(size)
    if (sheet.keptText(start, start + size) !== exact) throw new Error(`kept: ${exact}`)
    if (sheet.keptText(start + size, start + size + 2) !== ',\n') throw new Error('no separator')
    if (start > 100000) sheet.clear()
  }
  return true
}

const deep = (levels, form) => { let value = 1; for (let i = 0; i < levels; i++) value = form(value); return value }
const inArray = (value) => [value]
const inObject = (value) => ({ k: value })
const inBoth = (value) => [1, { k: value, l: 'x' }]

const plain = [
  null, true, false, 0, 1, -1, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 1e9, 1e15, 2 ** 53 - 1, -(2 ** 53 - 1), 0.1, -0.5, 1e-7,
  5e-324, 1.7976931348623157e-300, 21.375, '', 'a', 'a"b', 'back\\slash', '\n\t\r\b\f', '\u0000\u001f', '\u007f\u0080\u00e4\u00ff', '\u0100\u07ff\u0800',
  '\u2028\u2029\ufeff\uffff', '\ud83d\ude00', '\u6e29\u5ea6', 'x'.repeat(39), 'x'.repeat(40), 'x'.repeat(41), '"'.repeat(40), '\u6e29'.repeat(41), '\n'.repeat(50),
  '\u00e4'.repeat(1000), [], {}, [[]], [{}], { a: {} }, { '': '' }, { 'k"\n': 1 }, { '\u00e4\u6e29': 2 }, { a: undefined }, { a: undefined, b: 1 }, { b: 1, a: undefined },
  { 2: 'b', 1: 'a', x: 'c' }, { $a: 1 }, { $: 1 }, { $schema: { $ref: '#' } }, { constructor: 1 }, JSON.parse('{"__proto__":{"a":1}}'),
  Object.assign(Object.create(null), { a: 1 }), deep(120, inArray), deep(120, inObject), deep(60, inBoth), { get a() { return [1] } }, 'a'.repeat(30) + 'b'.repeat(20) + String(3),
]
for (const value of plain) if (!compare(value)) throw new Error(`left alone: ${JSON.stringify(value)}`)

class Point { constructor() { this.x = 1 } }
class Dated { toJSON() { return 'dated' } }
const hidden = Object.defineProperty({ a: 1 }, 'toJSON', { value: () => ({ b: 2 }), enumerable: false })
const cycle = {}
cycle.me = cycle
const other = [
  -0, NaN, Infinity, -Infinity, 2 ** 53, 2 ** 60, 1e300, 5n, 2n ** 60n, 2n ** 63n, undefined, Symbol('s'), () => 1, '\ud800', '\udc00x', '\ud83d', 'x'.repeat(50) + '\ud800',
  { '\ud800': 1 }, { $bytes: 'AA==' }, { $$bytes: 1 }, { $bytes: 1, b: 2 }, Buffer.from('abc'), new Uint8Array(3), new Date(0), new Date(NaN), new Point(), new Dated(),
  { toJSON() { return 1 } }, { toJSON: 1 }, hidden, Object.assign([1], { toJSON: () => 2 }), new Map(), new Set(), /x/, new Error('e'), Promise.resolve(1), new Number(1),
  new String('s'), [undefined], [, 1], { f() {} }, deep(121, inArray), deep(121, inObject), cycle, Object.create({ inherited: 1 }), 'x'.repeat(300000), Array(100000).fill(1.5),
]
for (const value of other) {
  for (const form of [(v) => v, inArray, inObject, (v) => ({ a: 1, b: 'x', c: v }), (v) => [1, 'x', v]]) {
    const wrapped = form(value)
    if (compare(wrapped) && value !== undefined) throw new Error(`written: ${String(JSON.stringify(wrapped)).slice(0, 80)}`)
  }
}

// At the end of the sheet: whole, or not at all.
const tried = () => { while (sheet.plainText(0) !== '0'); }
const put = (value) => { const size = sheet.writePlain(value); return size === 0 ? -1 : sheet.keep(size) + size + 2 }
const value = deep(110, (inner) => ({ k: inner }))
const whole = encodeAny(value)
const ends = { whole: 0, left: 0 }
for (let pad = 0; pad < 1400; pad++) {
  sheet.clear()
  tried()
  for (let i = 0; i < 130; i++) put(Array(1000).fill(0))
  if (put([...Array(pad >> 1).fill(0), pad & 1 ? 10 : 0]) < 0) throw new Error(`no room for ${pad}`)
  const end = put(value)
  if (end > sheet.kept(0).length) throw new Error(`beyond the sheet: ${end}`)
  if (end > 0 && sheet.keptText(end - 2 - whole.length, end - 2) !== whole) throw new Error(`cut at ${end}`)
  ends[end < 0 ? 'left' : 'whole']++
}
if (ends.whole < 100 || ends.left < 100) throw new Error(`not at the end: ${JSON.stringify(ends)}`)
sheet.clear()
tried()

// A getter that writes, one that throws, and an Object.prototype that shows in every `in`.
const nested = { a: 1, get b() { return encodeAny({ inner: sheet.plainText([2]) }) }, c: 3 }
if (sheet.plainText(nested) !== '{"a":1,"b":"{\\"inner\\":null}","c":3}') throw new Error(sheet.plainText(nested))
try { sheet.plainText({ get a() { throw new Error('mine') } }); throw new Error('not thrown') } catch (error) { if (error.message !== 'mine') throw error }
if (sheet.plainText({ a: 1 }) !== '{"a":1}') throw new Error('unusable after a throwing getter')
Object.prototype.extra = 1
const polluted = sheet.plainText({ a: 1 })
delete Object.prototype.extra
if (polluted !== null) throw new Error(polluted)

let state = Number(process.argv[2])
const random = (below) => { state = (state * 1103515245 + 12345) % 2147483648; return Math.floor(state / 2147483648 * below) }
const ALPHABET = ['a', 'Z', '0', ' ', '"', '\\', '\n', '\u0001', '\u007f', '\u00e9', '\u0440', '\u6e29', '\ud83d\ude00', '$', '/', '\ufffd']
const text = (most) => Array.from({ length: random(most) }, () => ALPHABET[random(4) ? random(4) : random(ALPHABET.length)]).join('')
const number = () => [random(10), random(1e6), -random(1e9), random(1e9) / 1000, random(1e9) * 1e6 + random(1e6), random(1e9) * 1e-20, -random(5)][random(7)]
const any = (depth) => {
  switch (random(depth > 5 ? 6 : 10)) {
    case 0: return null
    case 1: return random(2) === 1
    case 2: case 3: return number()
    case 4: return text(80)
    case 5: return text(12)
    case 6: case 7: return Array.from({ length: random(5) }, () => any(depth + 1))
    default: return Object.fromEntries(Array.from({ length: random(6) }, () => [text(8), any(depth + 1)]))
  }
}
for (let i = 0; i < Number(process.argv[3]); i++) compare(any(0))
console.log(JSON.stringify(seen))
