// Frames out of bytes and into bytes (PROTOCOL.md sections 1 and 2). Does not know what a body means, nor what carries the bytes.

import { platform } from './platform.mjs'

const { alloc, byteLength, write } = platform.bytes
const HEADER_BYTES = 24
export const MAX_BODY_BYTES = 64 << 20
const READ_BYTES = 256 << 10
const HELD_BYTES = 2 * READ_BYTES
const WRITE_BYTES = 512 << 10
export const NONE = 0xffff
export const NO_INDEX = 0xffffffff
export const KIND = {
  LOAD: 1, UNLOAD: 2, WIRES: 3, DATA: 4, PULL: 5, PAUSE: 6, CALL: 7, STOP: 8, PING: 9,
  HELLO: 16, CONTEXT: 17, ERROR: 18, LOG: 19, TURN: 20, COMMIT: 21, PAUSED: 22, RESULT: 23, FINISHED: 24, PONG: 25,
}
export const FLAG = { REDELIVERED: 1, HEADERS: 2, TURN: 4, DELETED: 8, HELD: 16 }

/** Takes bytes in any portions and calls `onFrame(header, body)`; both are only valid during that call. `kinds`: from and to, those that may come. */
export class FrameReader {
  constructor(onFrame, [lowest, highest] = [KIND.LOAD, KIND.PING]) {
    this._onFrame = onFrame
    this._lowest = lowest
    this._highest = highest
    this._held = alloc(HELD_BYTES) // an unfinished frame, and what came with its end
    this._size = 0 // of what is held
    this._needed = HEADER_BYTES
    this._header = { kind: 0, flags: 0, slot: 0, skip: 0, count: 0, first: 0 }
  }

  feed(chunk) {
    if (this._size > 0) {
      this._hold(chunk)
      if (this._size < this._needed) return
      chunk = this._held.subarray(0, this._size)
      this._size = 0
    }
    let at = 0
    this._needed = HEADER_BYTES
    while (chunk.length - at >= HEADER_BYTES) {
      const size = readUint32(chunk, at)
      const header = this._header
      header.kind = chunk[at + 4]
      if (size > MAX_BODY_BYTES || header.kind < this._lowest || header.kind > this._highest) platform.exit(3)
      if (chunk.length - at - HEADER_BYTES < size) {
        this._needed = HEADER_BYTES + size
        break
      }
      header.flags = chunk[at + 5]
      header.slot = chunk[at + 6] + chunk[at + 7] * 256
      header.skip = readUint32(chunk, at + 8)
      header.count = readUint32(chunk, at + 12)
      const low = readUint32(chunk, at + 16)
      const high = readUint32(chunk, at + 20)
      // Only what is sent back as it is (PING) may be beyond 2^53.
      header.first = high < 2097152 ? low + high * 4294967296 : BigInt(low) + (BigInt(high) << 32n)
      const start = at + HEADER_BYTES
      at = start + size
      this._onFrame(header, chunk.subarray(start, at))
    }
    if (this._held.length > HELD_BYTES && this._needed <= HELD_BYTES) this._held = alloc(HELD_BYTES)
    if (at < chunk.length) this._hold(chunk.subarray(at))
  }

  /** Keeps bytes behind those that are held; they may be the held ones themselves. */
  _hold(bytes) {
    const size = this._size + bytes.length
    if (size > this._held.length) {
      const wider = alloc(Math.max(size, this._needed + READ_BYTES))
      wider.set(this._held.subarray(0, this._size))
      this._held = wider
    }
    this._held.set(bytes, this._size)
    this._size = size
  }
}

/** Collects frames and gives them to `transport.write(bytes)` with one call; the bytes are only valid during it. */
export class FrameWriter {
  constructor(transport) {
    this._transport = transport
    this._buffer = alloc(WRITE_BYTES)
    this._used = 0
  }

  frame(kind, flags, slot, skip, count, first, text) {
    if (this._used + HEADER_BYTES + text.length * 3 > this._buffer.length) {
      this.flush()
      if (HEADER_BYTES + text.length * 3 > this._buffer.length) {
        const body = alloc(byteLength(text))
        write(body, text, 0)
        this._header(body.length, kind, flags, slot, skip, count, first)
        this.flush()
        this._transport.write(body)
        return
      }
    }
    const size = text === '' ? 0 : write(this._buffer, text, this._used + HEADER_BYTES)
    this._header(size, kind, flags, slot, skip, count, first)
    this._used += size
  }

  /** A frame whose body is an array of values that are written already. */
  array(kind, slot, count, values) {
    const size = values.length + 2
    if (this._used + HEADER_BYTES + size > this._buffer.length) this.flush()
    this._header(size, kind, 0, slot, 0, count, 0)
    this._buffer[this._used] = 91 // [
    this._buffer.set(values, this._used + 1)
    this._used += size
    this._buffer[this._used - 1] = 93 // ]
  }

  _header(size, kind, flags, slot, skip, count, first) {
    const buffer = this._buffer
    const at = this._used
    writeUint32(buffer, size, at)
    buffer[at + 4] = kind
    buffer[at + 5] = flags
    buffer[at + 6] = slot
    buffer[at + 7] = slot >>> 8
    writeUint32(buffer, skip, at + 8)
    writeUint32(buffer, count, at + 12)
    const isLong = typeof first === 'bigint'
    writeUint32(buffer, isLong ? Number(first & 0xffffffffn) : first % 4294967296, at + 16)
    writeUint32(buffer, isLong ? Number(first >> 32n) : Math.floor(first / 4294967296), at + 20)
    this._used = at + HEADER_BYTES
  }

  flush() {
    if (this._used === 0) return
    this._transport.write(this._buffer.subarray(0, this._used))
    this._used = 0
  }
}

function readUint32(bytes, at) {
  return bytes[at] + bytes[at + 1] * 0x100 + bytes[at + 2] * 0x10000 + bytes[at + 3] * 0x1000000
}

function writeUint32(bytes, number, at) {
  bytes[at] = number
  bytes[at + 1] = number >>> 8
  bytes[at + 2] = number >>> 16
  bytes[at + 3] = number >>> 24
}
