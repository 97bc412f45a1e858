// What the core needs of a browser (../javascript/core/platform.mjs): the same in a Worker and in a page's window.

import { use } from '../javascript/core/platform.mjs'

const OURS = [new URL('.', import.meta.url).href, new URL('../javascript/', import.meta.url).href]
const SHOWN_CHARS = 10_000
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The host is to end; nothing that comes after it may run. */
export class Ended extends Error {}

/** What ends it, for the Worker it is in, and whether it has to wait for those who read what it writes: set by whoever has begun it. */
export const ending = { end: () => {}, isFull: () => false }

function byteLength(text) {
  let bytes = text.length
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code < 0x80) continue
    bytes += code < 0x800 ? 1 : 2
    if (code >= 0xd800 && code < 0xdc00 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) at++ // four bytes for two units
  }
  return bytes
}

function writeAscii(bytes, text, at) {
  if (text.length > 64) return encoder.encodeInto(text, bytes.subarray(at)).written
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
  return text.length
}

function base64(bytes) {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(text)
}

function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return new Uint8Array(0)
  }
}

const channel = new MessageChannel()
const tasks = []
channel.port1.onmessage = () => { tasks.shift()() }

/** After the tasks that wait already: timers of a page in the background are slow, a port's messages are not. */
function defer(task) {
  if (ending.isFull()) {
    setTimeout(defer, 1, task)
    return
  }
  tasks.push(task)
  channel.port2.postMessage(null)
}

function shown(value, depth = 0) {
  if (typeof value === 'string') return depth === 0 ? value : JSON.stringify(value)
  if (typeof value === 'function') return `[Function: ${value.name || '(anonymous)'}]`
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? `${value}n` : String(value)
  if (value instanceof Error) return value.stack || String(value)
  if (depth > 4) return '[Object]'
  if (Array.isArray(value)) return `[ ${value.slice(0, 20).map((item) => shown(item, depth + 1)).join(', ')}${value.length > 20 ? ', ...' : ''} ]`
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  const name = value.constructor === Object || value.constructor === undefined ? '' : `${value.constructor.name} `
  if (entries.length === 0) return `${name}{}`
  return `${name}{ ${entries.slice(0, 100).map(([key, item]) => `${String(key)}: ${shown(item, depth + 1)}`).join(', ')} }`
}

function safely(value) {
  try {
    return shown(value).slice(0, SHOWN_CHARS)
  } catch {
    return 'a value that cannot be shown'
  }
}

use({
  bytes: {
    alloc: (size) => new Uint8Array(size),
    write: (bytes, text, at) => encoder.encodeInto(text, bytes.subarray(at)).written,
    writeAscii,
    text: (bytes, start = 0, end = bytes.length) => decoder.decode(bytes.subarray(start, end)),
    byteLength,
    base64,
    fromBase64,
  },
  defer,
  random: () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join(''),
  runAs: (_slot, code, ...values) => code(...values),
  running: () => null,
  exit(status, why = '') {
    ending.end(status, why)
    throw new Ended(why || `exit ${status}`)
  },
  format: (values) => values.map((value) => safely(value)).join(' '),
  inspect: safely,
  hint: (error) => (/Failed to (resolve module specifier|fetch dynamically imported module)/.test(String(error.message))
    ? "what a module imports is named in its `files:` or `dependencies:`" : ''),
  isOwnFrame: (line) => OURS.some((folder) => line.includes(folder)),
})
