// The data contract: JavaScript values to JSON text and back, exactly or not at all. Knows no frames and no turns.
// JSON.parse and JSON.stringify do the work; cheap tests decide when the exact ways below are needed.

import { DataError } from './errors.mjs'
import { platform } from './platform.mjs'
import { BYTES_KEY, plainText, wellFormed } from './fast_json.mjs'
import { MAX_DEPTH, PLAIN, take, taken } from './values.mjs'

const { base64, fromBase64 } = platform.bytes
const CONTROL_LEVELS = 2 // around a context's value
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n

/** The JSON text of what take() gave, where JSON.stringify would get it wrong. */
function write(value) {
  if (typeof value === 'bigint') return String(value)
  if (value === 0) return 1 / value < 0 ? '-0.0' : '0'
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`
  if (value instanceof Uint8Array) return `{"$bytes":"${base64(value)}"}`
  const keys = Object.keys(value)
  if (keys.length === 1 && BYTES_KEY.test(keys[0])) return `{"$${keys[0]}":${write(value[keys[0]])}}`
  return `{${keys.map((key) => `${JSON.stringify(key)}:${write(value[key])}`).join(',')}}`
}

/** The compact JSON text of a value, or DataError; TooLarge if that is surely longer than `most`. */
export function encode(value, most) {
  return (typeof value === 'object' ? plainText(value) : null) ?? encodeAny(value, most)
}

/** As encode(), for a value that is hardly plain. */
export function encodeAny(value, most) {
  const plain = take(value, most)
  return taken.isNative ? write(plain) : JSON.stringify(plain)
}

// ---------------------------------------------------------------- reading

// Integers beyond 2^53 pass through JSON.parse as strings with a mark that nobody can guess.
const MARK = `int:${platform.random()}:`

const isDigit = (code) => code >= 48 && code <= 57

/** Whether UTF-8 bytes of JSON may hold an integer of 16 digits or more: such a run covers every sixteenth byte. */
export function hasLongInteger(bytes) {
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
export function markIntegers(text) {
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
export function check(value, depth) {
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
export function restore(value, depth) {
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
  const bytes = typeof text === 'string' ? fromBase64(text) : null
  if (bytes === null || base64(bytes) !== text) throw new DataError('$bytes without valid base64')
  return bytes
}

/** Whether a text needs restore(): escapes may hide a surrogate or spell $bytes. */
export function isSpecial(text) { return text.includes('bytes"') || text.includes('\\u') }

/** The value of a JSON text, or DataError; it begins `depth` levels down. */
export function decode(text, long = /\d{16}/.test(text), depth = 0) {
  const special = long || isSpecial(text)
  let value
  try {
    value = JSON.parse(long ? markIntegers(text) : text)
  } catch (error) {
    throw new DataError(`not JSON: ${error.message}`)
  }
  return special ? restore(value, depth) : check(value, depth)
}

/** The body of LOAD or CALL, whose parts are values of their own. */
export function decodeControl(text) { return decode(text, undefined, -CONTROL_LEVELS) }
