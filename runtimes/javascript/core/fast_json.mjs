// A buffer on which plain data becomes JSON: checked and written in one walk, byte by byte, which takes less than half of what a
// walk and JSON.stringify take. What is not plain, or must be refused, it leaves to codec.mjs. Knows no ports and no turns.

import { platform } from './platform.mjs'

const { alloc, write: encode, writeAscii, text: decode } = platform.bytes
const MAX_DEPTH = 120
const BUFFER_BYTES = 256 << 10
const ROOM_BYTES = 256 // for a number or literal, the ends of all that it is in, and a separator
const LOOPED_CHARS = 40 // longer text is copied as a whole
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const NOT_PLAIN = -1
const PASSED_OVER = 15 // values after one that was not plain: their like would be walked for nothing

export const BYTES_KEY = /^\$+bytes$/
const ESCAPES = { 8: 98, 9: 116, 10: 110, 12: 102, 13: 114, 34: 34, 92: 92 }
const UNUSUAL = /["\\\x00-\x1f\x80-\uffff]/
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/
const SURROGATE = /[\ud800-\udfff]/
export const wellFormed = String.prototype.isWellFormed
  ? (text) => text.isWellFormed()
  : (text) => !SURROGATE.test(text) || !LONE.test(text)

const NOTHING = {}
const bytes = alloc(BUFFER_BYTES) // not exported: the compiler takes no export for a constant, and a message is a tenth slower
let used = 0 // bytes kept until clear()
let isWriting = false
let passing = 0

/** Writes the JSON of a value behind what is kept; returns where it ends, or NOT_PLAIN if codec.mjs must look at it. */
function write(value) {
  if (isWriting) return NOT_PLAIN // a getter sends
  if (passing > 0) {
    passing--
    return NOT_PLAIN
  }
  for (const _ in NOTHING) return NOT_PLAIN // a module has extended Object.prototype: `in` shows that in every object
  isWriting = true
  try {
    const end = put(value, used, 0)
    if (end < 0) passing = PASSED_OVER
    return end
  } finally {
    isWriting = false
  }
}

/** The JSON text of a value that is plain, or null. */
export function plainText(value) {
  const end = write(value)
  return end < 0 ? null : decode(bytes, used, end)
}

/** Writes the JSON of a value; returns its bytes, or 0. It stays until the next is written, or is kept. */
export function writePlain(value) {
  const end = write(value)
  return end < 0 ? 0 : end - used
}

/** Keeps what was written last, with a separator behind it; returns its place. */
export function keep(size) {
  const start = used
  used = start + size + 2
  bytes[used - 2] = 44 // ,
  bytes[used - 1] = 10 // line feed
  return start
}

/** What is kept, from one place to another: valid until clear(). */
export function kept(start, end) { return bytes.subarray(start, end) }

export function keptText(start, end) { return decode(bytes, start, end) }

/** Nothing that was kept is needed any more. */
export function clear() { used = 0 }

// ---------------------------------------------------------------- a value at a place: returns the place behind it, or NOT_PLAIN

function put(value, at, depth) {
  if (at + ROOM_BYTES > BUFFER_BYTES) return NOT_PLAIN
  switch (typeof value) {
    case 'string': return putText(value, at)
    case 'number': return putNumber(value, at)
    case 'boolean': return putAscii(value ? 'true' : 'false', at)
    case 'object': break
    default: return NOT_PLAIN
  }
  if (value === null) return putAscii('null', at)
  if (depth === MAX_DEPTH || value.toJSON !== undefined) return NOT_PLAIN
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Array.prototype && Array.isArray(value)) return putArray(value, at, depth)
  return prototype === Object.prototype || prototype === null ? putObject(value, at, depth) : NOT_PLAIN
}

function putArray(array, at, depth) {
  bytes[at++] = 91 // [
  for (let i = 0; i < array.length; i++) {
    if (i > 0) bytes[at++] = 44 // ,
    at = put(array[i], at, depth + 1)
    if (at < 0) return NOT_PLAIN
  }
  bytes[at] = 93 // ]
  return at + 1
}

function putObject(object, at, depth) {
  const start = at++
  for (const key in object) {
    const item = object[key]
    if (item === undefined) continue
    if (key.charCodeAt(0) === 36 && BYTES_KEY.test(key)) return NOT_PLAIN
    at = putText(key, at)
    if (at < 0) return NOT_PLAIN
    bytes[at] = 58 // :
    at = put(item, at + 1, depth + 1)
    if (at < 0) return NOT_PLAIN
    bytes[at++] = 44 // ,
  }
  if (at === start + 1) {
    if (Object.keys(object).length === 0 && Reflect.ownKeys(object).length > 0) return NOT_PLAIN // not as empty as it looks
    at++
  }
  bytes[start] = 123 // {
  bytes[at - 1] = 125 // } in the place of the last comma
  return at
}

function putNumber(number, at) {
  if ((number | 0) === number && number >= 0) return number === 0 ? putZero(number, at) : putInteger(number, at)
  if (!(number <= MAX_SAFE && number >= -MAX_SAFE)) return NOT_PLAIN // rounded, infinite or NaN
  return putAscii('' + number, at)
}

function putZero(zero, at) {
  if (1 / zero < 0) return NOT_PLAIN
  bytes[at] = 48
  return at + 1
}

function putInteger(number, at) {
  let end = at + 1
  for (let rest = number; rest >= 10; rest = (rest / 10) | 0) end++
  let rest = number
  for (let i = end - 1; i >= at; i--) {
    const tens = (rest / 10) | 0
    bytes[i] = 48 + rest - tens * 10
    rest = tens
  }
  return end
}

function putAscii(text, at) {
  for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i)
  return at
}

function putText(text, at) {
  const { length } = text
  if (at + length * 3 + ROOM_BYTES > BUFFER_BYTES) return NOT_PLAIN
  if (length > LOOPED_CHARS) return putLongText(text, at)
  const start = at
  bytes[at++] = 34 // "
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 32 && code < 128 && code !== 34 && code !== 92) {
      bytes[at++] = code
    } else if (code < 128) {
      const letter = ESCAPES[code]
      if (letter === undefined) return putUnusualText(text, start)
      bytes[at++] = 92 // backslash
      bytes[at++] = letter
    } else if (code < 0x800) {
      bytes[at++] = 0xc0 | code >> 6
      bytes[at++] = 0x80 | code & 0x3f
    } else if (code < 0xd800 || code > 0xdfff) {
      bytes[at++] = 0xe0 | code >> 12
      bytes[at++] = 0x80 | code >> 6 & 0x3f
      bytes[at++] = 0x80 | code & 0x3f
    } else {
      return putUnusualText(text, start)
    }
  }
  bytes[at] = 34
  return at + 1
}

function putLongText(text, at) {
  if (UNUSUAL.test(text)) return putUnusualText(text, at)
  bytes[at] = 34
  const end = at + 1 + writeAscii(bytes, text, at + 1)
  bytes[end] = 34
  return end + 1
}

function putUnusualText(text, at) {
  if (!wellFormed(text)) return NOT_PLAIN
  const json = JSON.stringify(text)
  if (at + json.length * 3 + ROOM_BYTES > BUFFER_BYTES) return NOT_PLAIN
  return at + encode(bytes, json, at)
}
