// What code writes to node's own streams, and what it throws outside any call: both are logged as its own.

import { prints } from '../javascript/core/prints.mjs'

export function capture() {
  for (const [stream, level] of [[process.stdout, 'info'], [process.stderr, 'error']]) {
    stream.write = (chunk, encoding, done) => {
      const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString()
      prints.log(prints.where(), level, text.endsWith('\n') ? text.slice(0, -1) : text)
      const callback = typeof encoding === 'function' ? encoding : done
      if (callback) process.nextTick(callback)
      return true
    }
  }
  process.on('uncaughtException', (error) => prints.stray(error))
  process.on('unhandledRejection', (error) => prints.stray(error))
}
