// Frames with bodies of bytes (../PROTOCOL.md section 2), and the messages in a body. What is decoded is only what has to be.

import { platform } from '../javascript/core/platform.mjs'

const HEADER_BYTES = 24
const { byteLength, text: textOf, write } = platform.bytes
/** The kinds that only the gateway sends: what runs, the names of a number, what has been taken or comes next, what to try. */
export const PAGE = { FLOW: 32, WIRE: 33, ACK: 34, TRY: 35 }
export const NO_BYTES = new Uint8Array(0)

export function bytesOf(text) {
  const bytes = new Uint8Array(byteLength(text))
  write(bytes, text, 0)
  return bytes
}

/** The bytes of a frame; `body` is bytes. */
export function frame(kind, { flags = 0, slot = 0, skip = 0, count = 0, first = 0 } = {}, body = NO_BYTES) {
  const bytes = new Uint8Array(HEADER_BYTES + body.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, body.length, true)
  bytes[4] = kind
  bytes[5] = flags
  view.setUint16(6, slot, true)
  view.setUint32(8, skip, true)
  view.setUint32(12, count, true)
  view.setUint32(16, first % 4294967296, true)
  view.setUint32(20, Math.floor(first / 4294967296), true)
  bytes.set(body, HEADER_BYTES)
  return bytes
}

export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** The text of message `index` of a body, and of its headers or null. */
export function messageOf(body, hasHeaders, index) {
  let text = textOf(body)
  let headers = null
  if (hasHeaders) {
    const middle = text.indexOf(',\n\n')
    headers = text.slice(2, middle - 1).split(',\n')[index] // [[HEADERS],\n\n[MESSAGES]]
    text = text.slice(middle + 3, -1)
  }
  return { message: text.slice(1, -1).split(',\n')[index], headers }
}
