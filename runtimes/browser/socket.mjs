// The way to the gateway: whole messages of bytes both ways, over a WebSocket that is opened anew as long as it makes sense. Another
// transport is another class with these methods.

const CLOSE = { REFUSED: 4000, FENCED: 4001, ENDED: 4004, LEFT: 4100 }
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5000

export class Socket {
  /**
   * hello     (): the first message of every socket, bytes
   * received  (bytes), opened (), closed (): what happens
   * over      (why, code): it is not opened any more
   */
  constructor(url, token, { hello, received, opened, closed, over }) {
    Object.assign(this, { _url: url, _token: token, _hello: hello, _received: received, _opened: opened, _closed: closed, _over: over })
    this._wait = FIRST_WAIT_MS
    this._isOver = false
    this._open()
  }

  get isOpen() { return this._socket?.readyState === 1 }
  get buffered() { return this._socket?.bufferedAmount ?? 0 }

  _open() {
    const socket = this._socket = new WebSocket(this._url, ['runner.v1', `token.${this._token}`])
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      socket.send(this._hello())
      this._opened()
    }
    socket.onmessage = ({ data }) => {
      this._wait = FIRST_WAIT_MS
      if (socket === this._socket) this._received(new Uint8Array(data))
    }
    socket.onclose = ({ code, reason }) => { if (socket === this._socket) this._ended(code, reason) }
  }

  _ended(code, reason) {
    this._closed(reason)
    if (this._isOver) return
    if (code === CLOSE.FENCED || code === CLOSE.REFUSED) {
      this._isOver = true
      this._over(reason, code)
      return
    }
    this._timer = setTimeout(() => this._open(), this._wait * (0.75 + Math.random() / 2))
    this._wait = Math.min(this._wait * 2, LONGEST_WAIT_MS)
  }

  /** Now, if it was waiting: the page has come back, or the network has. */
  wake() {
    if (this._isOver || this._socket.readyState < 2) return
    clearTimeout(this._timer)
    this._wait = FIRST_WAIT_MS
    this._open()
  }

  send(bytes) {
    if (!this.isOpen) return false
    this._socket.send(bytes)
    return true
  }

  /** Ends it: for good, or so that it may be resumed. */
  close(forGood) {
    this._isOver = true
    clearTimeout(this._timer)
    this._socket?.close(forGood ? CLOSE.LEFT : 1000)
  }

  /** It is for another page to go on. */
  giveUp(why) {
    this.close(false)
    this._socket = null // whatever it says is not heard
    this._closed(why)
    this._over(why, CLOSE.FENCED)
  }
}
