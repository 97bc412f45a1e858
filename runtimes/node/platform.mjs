// What the core needs of node (../javascript/core/platform.mjs). Buffers stay node's own: its ways to write and read text are the fast ones.

import fs from 'node:fs'
import path from 'node:path'
import { AsyncLocalStorage } from 'node:async_hooks'
import { format, inspect } from 'node:util'
import { use } from '../javascript/core/platform.mjs'
import { exit } from './guard.mjs'

const OURS = ['.', '../javascript/'].map((folder) => new URL(folder, import.meta.url).href)
const LOADED = /\/load-\w{6}\// // loader.mjs: the folder of a module
const SHOWN = { depth: 4, compact: true, breakLength: Infinity, maxStringLength: 1000, maxArrayLength: 20 }

let storage = null // slows every promise down: made when the first async module or hook runs

/** Not by node:crypto, which takes 3 ms to load. */
function random() {
  const bytes = Buffer.alloc(16)
  const source = fs.openSync('/dev/urandom')
  fs.readSync(source, bytes)
  fs.closeSync(source)
  return bytes.toString('hex')
}

/** What to do about an error that many meet, or ''. */
function hint(error) {
  const text = String(error.message)
  if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_MODULE_NOT_FOUND') {
    const name = /Cannot find (?:module|package) '([^']*)'/.exec(text)?.[1] ?? ''
    return /^[./]|^file:/.test(name) ? "name it in the module's `files:`" : "name its package in the module's `dependencies:`"
  }
  if (typeof error.path !== 'string' || /^(connect|listen|spawn)/.test(error.syscall)) return ''
  if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) {
    return 'a module writes only in its temporary folder, and where `limits: {writable: [...]}` says'
  }
  if (error.code !== 'ENOENT') return ''
  if (!path.isAbsolute(error.path)) {
    return 'a relative path begins in the temporary folder: for a file of yours give the whole path, or name it in `files:` and open it beside __dirname or import.meta.url'
  }
  return LOADED.test(error.path) ? "name it in the module's `files:`" : ''
}

use({
  bytes: {
    alloc: Buffer.allocUnsafe,
    write: (bytes, text, at) => bytes.write(text, at),
    writeAscii: (bytes, text, at) => bytes.write(text, at, 'latin1'),
    text: (bytes, start, end) => bytes.toString('utf8', start, end),
    byteLength: Buffer.byteLength,
    base64: (bytes) => bytes.toString('base64'),
    fromBase64: (text) => Buffer.from(text, 'base64'),
  },
  defer: setImmediate,
  random,
  runAs: (slot, code, ...values) => (storage ??= new AsyncLocalStorage()).run(slot, code, ...values),
  running: () => storage?.getStore() ?? null,
  exit(status, why = '') {
    if (why !== '') fs.writeSync(2, `node host: ${why}\n`)
    exit(status)
  },
  format: (values) => format(...values),
  inspect: (thrown) => inspect(thrown, SHOWN),
  hint,
  isOwnFrame: (line) => line.includes('node:') || OURS.some((folder) => line.includes(folder)),
})
