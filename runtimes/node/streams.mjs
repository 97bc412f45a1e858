// What code writes to node's own streams, and what it throws outside any call: both are logged as its own.

import { StringDecoder } from 'node:string_decoder'

import { prints } from '../javascript/core/prints.mjs'

export function capture() {
  for (const [stream, level] of [[process.stdout, 'info'], [process.stderr, 'error']]) {
    const decoder = new StringDecoder() // a chunk that is piped here may end in the middle of a character
    stream.write = (chunk, encoding, done) => {
      const isText = typeof chunk === 'string' && (typeof encoding !== 'string' || /^utf-?8$/i.test(encoding))
      const text = isText ? chunk : decoder.write(Buffer.from(chunk, encoding))
      if (text !== '') prints.log(prints.where(), level, text.endsWith('\n') ? text.slice(0, -1) : text)
      const callback = typeof encoding === 'function' ? encoding : done
      if (callback) process.nextTick(callback)
      return true
    }
  }
  process.on('uncaughtException', (error) => prints.stray(error))
  process.on('unhandledRejection', (error) => prints.stray(error))
}
