'use strict'
// The data contract: JavaScript values to JSON text and back, exactly or not at all. Knows no frames and no turns.
// JSON.parse and JSON.stringify do the work; cheap tests decide when the exact ways below are needed.

const { randomBytes } = require('node:crypto')
const { DataError } = require('./errors')
const { BYTES_KEY, plainText, wellFormed } = require('./sheet')

const MAX_DEPTH = 120
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const SAFE = BigInt(MAX_SAFE)
const REFUSED = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'WeakRef', 'Promise', 'RegExp', 'Error', 'ArrayBuffer',
  'SharedArrayBuffer', 'DataView', 'Generator', 'AsyncGenerator', 'Arguments', 'Map Iterator', 'Set Iterator',
  'Array Iterator', 'Int8Array', 'Uint8ClampedArray', 'Int16Array', 'Uint16Array', 'Int32Array', 'Uint32Array',
  'Float32Array', 'Float64Array', 'BigInt64Array', 'BigUint64Array'])

// What scan() found; 0 is plain JSON data.
const NATIVE = 1 // bytes, big integers, -0, escaped keys: JSON.stringify is wrong, a fused target may have it as it is
const FOREIGN = 2 // dates, class instances, proxies of JSON: a fused target must get what a wire would carry
const UNSAFE = 4 // a number beyond 2^53: JSON.stringify rounds its digits, and whole ones arrive as BigInt

function refuse(what) { throw new DataError(`${what} cannot be sent`) }

/** Whether a value is plain data; throws DataError for what no message can carry. */
function scan(value, depth) {
  switch (typeof value) {
    case 'string':
      if (!wellFormed(value)) refuse('a string with a lone surrogate')
      return 0
    case 'number':
      if (value - value !== 0) refuse(String(value))
      if (value === 0) return 1 / value < 0 ? NATIVE : 0
      return value > MAX_SAFE || value < -MAX_SAFE ? UNSAFE : 0
    case 'boolean': return 0
    case 'object': break
    case 'bigint':
      if (value > INT64_MAX || value < INT64_MIN) refuse('an integer outside 64 bits')
      return value > SAFE || value < -SAFE ? NATIVE : NATIVE | FOREIGN
    default: refuse(value === undefined ? 'undefined inside a value' : `a ${typeof value}`)
  }
  if (value === null) return 0
  if (depth === MAX_DEPTH) refuse(`a value nested deeper than ${MAX_DEPTH}`)
  let found = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) found |= scan(value[i], depth + 1)
    return found
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    if (value instanceof Uint8Array) return NATIVE
    return scanInstance(value, depth)
  }
  for (const key in value) {
    if (!wellFormed(key)) refuse('a key with a lone surrogate')
    if (key.charCodeAt(0) === 36 && value[key] !== undefined && BYTES_KEY.test(key)) found |= NATIVE
    const item = value[key]
    const kind = typeof item
    if (kind === 'string') { // the common kinds here, for speed
      if (!wellFormed(item)) refuse('a string with a lone surrogate')
    } else if (kind === 'number' && item <= MAX_SAFE && item >= -MAX_SAFE && item !== 0) {
      continue
    } else if (kind === 'function' && key === 'toJSON') {
      return scanInstance(value, depth)
    } else if (item !== undefined) {
      found |= scan(item, depth + 1)
    }
  }
  return found
}

function scanInstance(value, depth) {
  const json = jsonOf(value)
  if (json === undefined) refuse('undefined inside a value')
  if (json !== value) return scan(json, depth + 1) | NATIVE | FOREIGN
  for (const key of Object.keys(value)) {
    if (!wellFormed(key)) refuse('a key with a lone surrogate')
    if (value[key] !== undefined) scan(value[key], depth + 1)
  }
  return NATIVE | FOREIGN
}

/** An object as JSON.stringify would see it: toJSON called, boxes opened; what it would silently lose is refused. */
function jsonOf(value) {
  if (typeof value.toJSON === 'function') {
    const json = value.toJSON()
    if (json === null && value instanceof Date) refuse('an invalid date')
    return json
  }
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (REFUSED.has(tag) || value instanceof Error) refuse(`a ${tag}`)
  return value instanceof Number || value instanceof String || value instanceof Boolean ? value.valueOf() : value
}

/** The JSON text of a value that scan() passed but JSON.stringify would get wrong. */
function write(value) {
  if (typeof value === 'bigint') return String(value)
  if (value === 0) return 1 / value < 0 ? '-0.0' : '0'
  // JSON.stringify(2 ** 60) is 1152921504606847000: another integer.
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 2 ** 63) return String(BigInt(value))
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (value instanceof Uint8Array) {
    return `{"$bytes":"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"}`
  }
  const json = jsonOf(value)
  if (json !== value) return write(json)
  const keys = Object.keys(value).filter((key) => value[key] !== undefined)
  if (keys.length === 1 && BYTES_KEY.test(keys[0])) return `{"$${keys[0]}":${write(value[keys[0]])}}`
  return `{${keys.map((key) => `${JSON.stringify(key)}:${write(value[key])}`).join(',')}}`
}

/** The compact JSON text of a value, or DataError. */
function encode(value) {
  return (typeof value === 'object' ? plainText(value) : null) ?? encodeAny(value)
}

/** As encode(), for a value that is hardly plain. */
function encodeAny(value) {
  return scan(value, 0) === 0 ? JSON.stringify(value) : write(value)
}

/** The value that a fused target gets: the same one if it is plain, else what would have arrived over a wire. */
function handOver(value) {
  return scan(value, 0) & (FOREIGN | UNSAFE) ? decode(encode(value)) : value
}

/** A structural copy of a value that handOver() passed. */
function copy(value) {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const array = value.slice()
    for (let i = 0; i < array.length; i++) if (typeof array[i] === 'object') array[i] = copy(array[i])
    return array
  }
  if (value instanceof Uint8Array) return Buffer.from(value)
  const object = { ...value } // also copies a key "__proto__" as a key
  for (const key in object) {
    const item = object[key]
    if (typeof item === 'object' && item !== null) {
      if (key === '__proto__') Object.defineProperty(object, key, { ...PLAIN, value: copy(item) })
      else object[key] = copy(item)
    }
  }
  return object
}
const PLAIN = { writable: true, enumerable: true, configurable: true }

// ---------------------------------------------------------------- reading

// Integers beyond 2^53 pass through JSON.parse as strings with a mark that nobody can guess.
const MARK = `int:${randomBytes(16).toString('hex')}:`

const isDigit = (code) => code >= 48 && code <= 57

/** Whether UTF-8 bytes of JSON may hold an integer of 16 digits or more: such a run covers every sixteenth byte. */
function hasLongInteger(bytes) {
  for (let at = 15; at < bytes.length; at += 16) {
    if (!isDigit(bytes[at])) continue
    let start = at
    let end = at + 1
    while (start > 0 && isDigit(bytes[start - 1])) start--
    while (end < bytes.length && isDigit(bytes[end])) end++
    if (end - start < 16) continue
    const after = bytes[end]
    if (bytes[start - 1] !== 46 && after !== 46 && after !== 101 && after !== 69) return true
  }
  return false
}

function markInteger(literal) {
  if (/[.eE]/.test(literal) || literal.length < 16 || Number.isSafeInteger(Number(literal))) return literal
  if (!/^-?[1-9]\d{15,18}$/.test(literal)) return literal
  const exact = BigInt(literal)
  return exact > INT64_MAX || exact < INT64_MIN ? literal : `"${MARK}${literal}"`
}

/** JSON text with the long integers outside its strings marked. */
function markIntegers(text) {
  const parts = []
  for (let at = 0; at < text.length;) {
    let quote = text.indexOf('"', at)
    if (quote < 0) quote = text.length
    parts.push(text.slice(at, quote).replace(/-?\d[\d.eE+-]*/g, markInteger))
    let end = quote
    do {
      end = text.indexOf('"', end + 1)
      if (end < 0) end = text.length
    } while (end < text.length && escaped(text, end))
    parts.push(text.slice(quote, end + 1))
    at = end + 1
  }
  return parts.join('')
}

function escaped(text, quote) {
  let at = quote
  while (text.charCodeAt(at - 1) === 92) at--
  return (quote - at) % 2 === 1
}

/** Checks what JSON.parse lets through and the cheap tests cannot see: depth, and numbers that overflowed. */
function check(value, depth) {
  if (typeof value === 'number') {
    if (value - value !== 0) throw new DataError('a number beyond the range of a double')
  } else if (typeof value === 'object' && value !== null) {
    if (depth === MAX_DEPTH) throw new DataError(`a value nested deeper than ${MAX_DEPTH}`)
    if (Array.isArray(value)) {
      for (let i = 0; i < value.length; i++) {
        const item = value[i]
        if (typeof item !== 'string') check(item, depth + 1)
      }
    } else {
      for (const key in value) {
        const item = value[key]
        if (typeof item !== 'string') check(item, depth + 1)
      }
    }
  }
  return value
}

/** As check(), and gives back marked integers, bytes and escaped keys, and refuses lone surrogates. */
function restore(value, depth) {
  if (typeof value === 'string') {
    if (value.startsWith(MARK)) return BigInt(value.slice(MARK.length))
    if (!wellFormed(value)) throw new DataError('a string with a lone surrogate')
    return value
  }
  if (typeof value !== 'object' || value === null) return check(value, depth)
  if (depth === MAX_DEPTH) throw new DataError(`a value nested deeper than ${MAX_DEPTH}`)
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = restore(value[i], depth + 1)
    return value
  }
  const keys = Object.keys(value)
  if (keys.length === 1 && BYTES_KEY.test(keys[0])) {
    if (keys[0] === '$bytes') return bytesOf(value.$bytes)
    return { [keys[0].slice(1)]: restore(value[keys[0]], depth + 1) }
  }
  for (const key of keys) {
    if (!wellFormed(key)) throw new DataError('a key with a lone surrogate')
    const item = restore(value[key], depth + 1)
    if (item !== value[key]) Object.defineProperty(value, key, { ...PLAIN, value: item })
  }
  return value
}

function bytesOf(text) {
  const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : null
  if (bytes === null || bytes.toString('base64') !== text) throw new DataError('$bytes without valid base64')
  return bytes
}

/** Whether a text needs restore(): escapes may hide a surrogate or spell $bytes. */
function isSpecial(text) { return text.includes('bytes"') || text.includes('\\u') }

/** The value of a JSON text, or DataError. */
function decode(text, long = /\d{16}/.test(text)) {
  const special = long || isSpecial(text)
  let value
  try {
    value = JSON.parse(long ? markIntegers(text) : text)
  } catch (error) {
    throw new DataError(`not JSON: ${error.message}`)
  }
  return special ? restore(value, 0) : check(value, 0)
}

module.exports = { encode, encodeAny, decode, handOver, copy, check, restore, isSpecial, markIntegers, hasLongInteger, wellFormed }
