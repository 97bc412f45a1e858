'use strict'
// Plain data to JSON text: checked and written in one walk, byte by byte, which takes less than half of what a walk and
// JSON.stringify take. What is not plain, or must be refused, it leaves to codec.js.

const MAX_DEPTH = 120
const LOOPED_CHARS = 40 // longer text is copied as a whole
const ROOM_BYTES = 32 // for any number, literal or bracket, with a comma
const MAX_BYTES = 256 << 10
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const NOT_PLAIN = -1
const WAITED = 7 // values not tried after one that was not plain: its like may follow, and it was walked for nothing

const UNUSUAL = /["\\\x00-\x1f\u0100-\uffff]/
const WIDE = /[^\x00-\xff]/
const ESCAPES = { 8: 98, 9: 116, 10: 110, 12: 102, 13: 114, 34: 34, 92: 92 }

const NOTHING = {}
const bytes = Buffer.allocUnsafeSlow(MAX_BYTES)
let isWriting = false
let waiting = 0

/** The JSON text of a value; null if codec.js must look at it. */
function plainText(value) {
  if (isWriting) return null // a getter sends
  if (waiting > 0) {
    waiting--
    return null
  }
  for (const _ in NOTHING) return null // a module has extended Object.prototype: `in` would show it everywhere
  isWriting = true
  try {
    const end = put(value, 0, 0)
    if (end < 0) {
      waiting = WAITED
      return null
    }
    return bytes.latin1Slice(0, end)
  } finally {
    isWriting = false
  }
}

/** Writes a value at a place; returns the place behind it, or NOT_PLAIN. */
function put(value, at, depth) {
  if (at + ROOM_BYTES > MAX_BYTES) return NOT_PLAIN
  switch (typeof value) {
    case 'string': return putText(value, at)
    case 'number': return putNumber(value, at)
    case 'boolean': return putAscii(value ? 'true' : 'false', at)
    case 'object': break
    default: return NOT_PLAIN
  }
  if (value === null) return putAscii('null', at)
  if (depth === MAX_DEPTH || value.toJSON !== undefined) return NOT_PLAIN
  if (Array.isArray(value)) return putArray(value, at, depth)
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? putObject(value, at, depth) : NOT_PLAIN
}

function putArray(array, at, depth) {
  bytes[at++] = 91 // [
  for (let i = 0; i < array.length; i++) {
    if (i > 0) bytes[at++] = 44 // ,
    at = put(array[i], at, depth + 1)
    if (at < 0) return NOT_PLAIN
  }
  if (at + ROOM_BYTES > MAX_BYTES) return NOT_PLAIN
  bytes[at] = 93 // ]
  return at + 1
}

function putObject(object, at, depth) {
  const start = at++
  for (const key in object) {
    const item = object[key]
    if (item === undefined) continue
    if (key.charCodeAt(0) === 36) return NOT_PLAIN // $bytes
    at = putText(key, at)
    if (at < 0) return NOT_PLAIN
    bytes[at] = 58 // :
    at = put(item, at + 1, depth + 1)
    if (at < 0) return NOT_PLAIN
    bytes[at++] = 44 // ,
  }
  if (at === start + 1) at++
  bytes[start] = 123 // {
  bytes[at - 1] = 125 // }
  return at
}

function putNumber(number, at) {
  if (number >= 0 && number < 1e9 && (number | 0) === number) {
    return number === 0 ? putZero(number, at) : putInteger(number | 0, at)
  }
  if (!(number <= MAX_SAFE && number >= -MAX_SAFE)) return NOT_PLAIN // rounded, infinite or NaN
  return putAscii('' + number, at)
}

function putZero(number, at) {
  if (1 / number < 0) return NOT_PLAIN
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
  if (at + length * 2 + ROOM_BYTES > MAX_BYTES) return NOT_PLAIN
  if (length > LOOPED_CHARS) return putLongText(text, at)
  bytes[at++] = 34 // "
  for (let i = 0; i < length; i++) {
    let code = text.charCodeAt(i)
    if (code < 32 || code > 255 || code === 34 || code === 92) {
      code = ESCAPES[code]
      if (code === undefined) return NOT_PLAIN
      bytes[at++] = 92 // backslash
    }
    bytes[at++] = code
  }
  bytes[at] = 34
  return at + 1
}

function putLongText(text, at) {
  if (UNUSUAL.test(text)) {
    if (WIDE.test(text)) return NOT_PLAIN
    const json = JSON.stringify(text)
    if (at + json.length + ROOM_BYTES > MAX_BYTES) return NOT_PLAIN
    return at + bytes.latin1Write(json, at)
  }
  bytes[at] = 34
  const end = at + 1 + bytes.latin1Write(text, at + 1)
  bytes[end] = 34
  return end + 1
}

module.exports = { plainText }
