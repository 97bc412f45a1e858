// The two pipes to the runner (PROTOCOL.md section 1). Does not know what a frame is.

import fs from 'node:fs'
import net from 'node:net'
import { exit } from './guard.mjs'

const READ_BYTES = 256 << 10

/** The output pipe: write() comes back when all has been taken. */
export class OutputPipe {
  constructor(path) { this._fd = fs.openSync(path, 'w') }

  write(bytes) {
    for (let at = 0; at < bytes.length;) {
      try {
        at += fs.writeSync(this._fd, bytes, at, bytes.length - at)
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
