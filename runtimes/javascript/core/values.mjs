// What a value is (docs/data-contract.md): what may be sent, and what of it arrives. Knows no JSON text, no ports and no turns.

import { DataError, TooLarge } from './errors.mjs'
import { isAnyBuffer, isBoxed, isDate as isRealDate, isSet, isUint8Array } from './kinds.mjs'
import { platform } from './platform.mjs'
import { Shapes } from './shapes.mjs'
import * as fastJson from './fast_json.mjs'

const { BYTES_KEY, wellFormed } = fastJson // constants of this file: the compiler takes no import or export for one

export const MAX_DEPTH = 120
const TOO_DEEP = `a value nested deeper than ${MAX_DEPTH}`
const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const MAX_SAFE = Number.MAX_SAFE_INTEGER
const SAFE = BigInt(MAX_SAFE)
const MANY = 10_000 // elements: an array that long may be one of holes
const { slice } = Array.prototype // the one of this realm
export const PLAIN = { writable: true, enumerable: true, configurable: true }
const shapes = new Shapes(takeField, (key) => wellFormed(key) && !BYTES_KEY.test(key) && key !== '__proto__' && key !== 'toJSON')

let room = 0 // bytes of JSON that a value may still have
let isNative = false // JSON.stringify would get it wrong: bytes, big integers, -0, keys that need an escape
let refusal = null // the latest

/** What take() has found about the value that it took last. */
const found = { isNative: false, bytes: 0 }
export const taken = found

/**
 * What arrives of a value: checked and copied in one walk. Throws DataError for what no message can carry, TooLarge when its JSON
 * has more bytes than `most` (it is counted low: `taken.bytes`).
 */
export function take(value, most = MAX_SAFE) {
  const outerRoom = room // user code that runs in here, a getter or toJSON, may send as well
  const outerNative = isNative
  room = most
  isNative = false
  try {
    const plain = takeAny(value, 0)
    if (room < 0) throw new TooLarge()
    found.isNative = isNative
    found.bytes = most - room
    return plain
  } catch (error) {
    if (error === refusal) { // and no error of user code
      if (!error.message.startsWith(TOO_DEEP)) addPlace(error, value, most)
      Error.captureStackTrace?.(error, take) // not the walk: of ten frames none would be the user's
      refusal = null
    }
    throw error
  } finally {
    room = outerRoom
    isNative = outerNative
  }
}

function takeAny(value, depth) {
  switch (typeof value) {
    case 'string': return takeText(value)
    case 'number': return takeNumber(value)
    case 'boolean': return value
    case 'object': return value === null ? null : takeObject(value, depth)
    case 'bigint': return takeInteger(value)
    default: return refuse(value === undefined ? 'undefined inside a value' : `a ${typeof value}`)
  }
}

function takeText(text) {
  room -= text.length
  return wellFormed(text) ? text : refuse('a string with a lone surrogate')
}

function takeNumber(number) {
  room--
  if (number <= MAX_SAFE && number >= -MAX_SAFE) {
    if (number === 0 && 1 / number < 0) isNative = true
    return number
  }
  if (number - number !== 0) refuse(String(number))
  if (Math.abs(number) >= 2 ** 63) return number
  isNative = true // JSON.stringify(2 ** 60) is 1152921504606847000: another integer
  return BigInt(number)
}

function takeInteger(integer) {
  room--
  if (integer <= SAFE && integer >= -SAFE) return Number(integer)
  if (integer > INT64_MAX || integer < INT64_MIN) refuse('an integer outside 64 bits')
  isNative = true
  return integer
}

function takeObject(value, depth) {
  room -= 2
  if (room < 0) throw new TooLarge()
  if (depth >= MAX_DEPTH) refuse(TOO_DEEP)
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return takeFields(value, depth)
  if (Array.isArray(value) && Array.isArray(prototype)) return takeElements(value, depth)
  if (isUint8Array(value)) return takeBytes(value)
  if (typeof value.toJSON === 'function' && !isDate(value)) return takeAny(value.toJSON(), depth + 1)
  return isOtherRealms(prototype) ? takeFields(value, depth) : refuseInstance(value)
}

/** Whether a prototype is the Object.prototype of a `vm` context. */
function isOtherRealms(prototype) {
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf')
}

function takeBytes(bytes) {
  room -= bytes.length
  isNative = true
  return copyBytes(bytes)
}

function copyBytes(bytes) {
  const copied = platform.bytes.alloc(bytes.length)
  copied.set(bytes)
  return copied
}

function takeElements(array, depth) {
  if (array.length > MANY) for (let i = 0; i < array.length; i++) if (array[i] === undefined) refuse('undefined inside a value')
  const elements = slice.call(array)
  room -= elements.length
  for (let i = 0; i < elements.length; i++) {
    const item = elements[i]
    switch (typeof item) { // the common kinds here, for speed
      case 'string':
        room -= item.length
        if (!wellFormed(item)) refuse('a string with a lone surrogate')
        break
      case 'boolean': break
      default: elements[i] = takeAny(item, depth + 1)
    }
  }
  return elements
}

function takeFields(object, depth) {
  const keys = Object.keys(object)
  const shape = shapes.find(keys)
  if (shape !== null) {
    room -= shape.size
    return shape.copy(object, depth + 1)
  }
  const fields = {}
  for (const key of keys) {
    if (!wellFormed(key)) refuse('a key with a lone surrogate')
    if (BYTES_KEY.test(key)) isNative = true
    room -= key.length + 1
    if (key === 'toJSON' && typeof object.toJSON === 'function') return takeAny(object.toJSON(), depth + 1)
    const item = takeField(object[key], depth + 1)
    if (item === undefined) continue
    if (key === '__proto__') Object.defineProperty(fields, key, { ...PLAIN, value: item })
    else fields[key] = item
  }
  if (keys.length === 0 && Reflect.ownKeys(object).length > 0) refuse('an object without fields that JSON can have')
  return fields
}

/** As takeAny(), the common kinds here for speed; undefined is no field. */
function takeField(item, depth) {
  switch (typeof item) {
    case 'string':
      room -= item.length
      return wellFormed(item) ? item : refuse('a string with a lone surrogate')
    case 'number': return item <= MAX_SAFE && item >= -MAX_SAFE && item !== 0 ? item : takeNumber(item)
    case 'boolean': return item
    case 'undefined': return undefined
    default: return takeAny(item, depth)
  }
}

/** A copy of what take() gave. */
export function copy(value) {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const array = value.slice()
    for (let i = 0; i < array.length; i++) if (typeof array[i] === 'object') array[i] = copy(array[i])
    return array
  }
  if (value instanceof Uint8Array) return copyBytes(value)
  const object = { ...value } // also copies a key "__proto__" as a key
  for (const key in object) {
    const item = object[key]
    if (typeof item !== 'object' || item === null || !Object.hasOwn(object, key)) continue
    if (key === '__proto__') Object.defineProperty(object, key, { ...PLAIN, value: copy(item) })
    else object[key] = copy(item)
  }
  return object
}

// ---------------------------------------------------------------- refusals

function refuse(what, instead) {
  refusal = new DataError(`${what} cannot be sent${instead ? `: send ${instead}` : ''}`)
  throw refusal
}

function isDate(value) {
  return isRealDate(value) || Object.prototype.toString.call(value).startsWith('[object Temporal.')
}

function refuseInstance(value) {
  const { constructor } = value
  const name = typeof constructor === 'function' && constructor.name ? constructor.name : Object.prototype.toString.call(value).slice(8, -1)
  refuse(`${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`, insteadOf(value))
}

/** What to send instead of an object that is no plain data. */
function insteadOf(value) {
  if (isDate(value)) return isRealDate(value) ? 'd.toISOString()' : 'd.toString()'
  if (value instanceof Error) return 'its message'
  if (isAnyBuffer(value)) return 'new Uint8Array(it)'
  if (isBoxed(value)) return 'it.valueOf()'
  if (typeof value.then === 'function') return 'what it resolves to (await it)'
  if (typeof value.text === 'function') return 'await it.text()'
  if (typeof value.next === 'function' || isSet(value) || ArrayBuffer.isView(value) || Array.isArray(value)) return 'Array.from(it)'
  if (typeof value.entries === 'function') return 'Object.fromEntries(it)'
  return 'a plain object, { ...it }, or give the class a toJSON()'
}

/** Says where in a value the part is that is refused: "NaN in items[3].price cannot be sent". */
function addPlace(error, value, most) {
  try {
    const place = placeIn(value, 0, most).replace(/^\./, '')
    if (place !== '' && place.length < 200) error.message = error.message.replace(' cannot be sent', ` in ${place} cannot be sent`)
  } catch {
    // user code that runs in there, a getter or toJSON, does otherwise now
  }
}

function placeIn(value, depth, most) {
  if (typeof value !== 'object' || value === null || typeof value.toJSON === 'function') return ''
  for (const key of Object.keys(value)) {
    const item = value[key]
    if (item === undefined && !Array.isArray(value)) continue
    room = most
    try {
      takeAny(item, depth + 1)
    } catch {
      return (Array.isArray(value) ? `[${key}]` : `.${key}`) + placeIn(item, depth + 1, most)
    }
  }
  return ''
}
