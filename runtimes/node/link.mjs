// Frames in and out of the two pipes (PROTOCOL.md sections 1 and 2). Does not know what a body means.

import fs from 'node:fs'
import net from 'node:net'
import { exit } from './guard.mjs'

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

/** Takes bytes in any portions and calls `onFrame(header, body)`; both are only valid during that call. */
export class FrameReader {
  constructor(onFrame) {
    this._onFrame = onFrame
    this._held = Buffer.allocUnsafeSlow(HELD_BYTES) // an unfinished frame, and what came with its end
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
      const size = chunk.readUInt32LE(at)
      const header = this._header
      header.kind = chunk[at + 4]
      if (size > MAX_BODY_BYTES || header.kind === 0 || header.kind > KIND.PING) exit(3)
      if (chunk.length - at - HEADER_BYTES < size) {
        this._needed = HEADER_BYTES + size
        break
      }
      header.flags = chunk[at + 5]
      header.slot = chunk.readUInt16LE(at + 6)
      header.skip = chunk.readUInt32LE(at + 8)
      header.count = chunk.readUInt32LE(at + 12)
      const high = chunk.readUInt32LE(at + 20)
      // Only what is sent back as it is (PING) may be beyond 2^53.
      header.first = high < 2097152 ? chunk.readUInt32LE(at + 16) + high * 4294967296 : chunk.readBigUInt64LE(at + 16)
      const start = at + HEADER_BYTES
      at = start + size
      this._onFrame(header, chunk.subarray(start, at))
    }
    if (this._held.length > HELD_BYTES && this._needed <= HELD_BYTES) this._held = Buffer.allocUnsafeSlow(HELD_BYTES)
    if (at < chunk.length) this._hold(chunk.subarray(at))
  }

  /** Keeps bytes behind those that are held; they may be the held ones themselves. */
  _hold(bytes) {
    const size = this._size + bytes.length
    if (size > this._held.length) {
      const wider = Buffer.allocUnsafeSlow(Math.max(size, this._needed + READ_BYTES))
      this._held.copy(wider, 0, 0, this._size)
      this._held = wider
    }
    bytes.copy(this._held, this._size)
    this._size = size
  }
}

/** Collects frames and writes them with one call. */
export class FrameWriter {
  constructor(path) {
    this._fd = fs.openSync(path, 'w')
    this._buffer = Buffer.allocUnsafeSlow(WRITE_BYTES)
    this._used = 0
  }

  frame(kind, flags, slot, skip, count, first, text) {
    if (this._used + HEADER_BYTES + text.length * 3 > this._buffer.length) {
      this.flush()
      if (HEADER_BYTES + text.length * 3 > this._buffer.length) {
        const body = Buffer.from(text)
        this._header(body.length, kind, flags, slot, skip, count, first)
        this.flush()
        this._write(body, body.length)
        return
      }
    }
    const size = text === '' ? 0 : this._buffer.write(text, this._used + HEADER_BYTES, 'utf8')
    this._header(size, kind, flags, slot, skip, count, first)
    this._used += size
  }

  /** A frame whose body is an array of values that are written already. */
  array(kind, slot, count, values, start, end) {
    const size = end - start + 2
    if (this._used + HEADER_BYTES + size > this._buffer.length) this.flush()
    this._header(size, kind, 0, slot, 0, count, 0)
    this._buffer[this._used] = 91 // [
    values.copy(this._buffer, this._used + 1, start, end)
    this._used += size
    this._buffer[this._used - 1] = 93 // ]
  }

  _header(size, kind, flags, slot, skip, count, first) {
    const buffer = this._buffer
    const at = this._used
    buffer.writeUInt32LE(size, at)
    buffer[at + 4] = kind
    buffer[at + 5] = flags
    buffer.writeUInt16LE(slot, at + 6)
    buffer.writeUInt32LE(skip, at + 8)
    buffer.writeUInt32LE(count, at + 12)
    if (typeof first === 'bigint') buffer.writeBigUInt64LE(first, at + 16)
    else {
      buffer.writeUInt32LE(first % 4294967296, at + 16)
      buffer.writeUInt32LE(Math.floor(first / 4294967296), at + 20)
    }
    this._used = at + HEADER_BYTES
  }

  flush() {
    if (this._used === 0) return
    this._write(this._buffer, this._used)
    this._used = 0
  }

  _write(bytes, size) {
    for (let at = 0; at < size;) {
      try {
        at += fs.writeSync(this._fd, bytes, at, size - at)
      } catch (error) {
        if (error.code === 'EPIPE') exit(0) // the runner is gone
        if (error.code !== 'EAGAIN') throw error
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
      }
    }
  }
}

/** Reads the input pipe on the event loop, without a thread; `onBytes` gets a view that is only valid during the call. */
export function listen(path, onBytes, onEnd) {
  const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
  const socket = new net.Socket({
    fd: fs.openSync(path, 'r'),
    readable: true,
    writable: false,
    onread: {
      buffer,
      callback(size) {
        onBytes(buffer.subarray(0, size))
        return true
      },
    },
  })
  socket.on('end', onEnd)
  socket.on('error', onEnd)
  socket.on('close', onEnd)
  socket.resume()
}
