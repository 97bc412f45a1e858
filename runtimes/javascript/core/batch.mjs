// A DATA frame's body as a queue of values: decoded when its first turn begins, message by message if it must be.

import { DataError } from './errors.mjs'
import { platform } from './platform.mjs'
import { check, decode, hasLongInteger, isSpecial, markIntegers, restore } from './codec.mjs'

const { bytes } = platform
const PART_BYTES = 8192
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Stands for a message that could not be decoded. */
export class Undecodable {
  constructor(error) { this.error = error }
}

export class Batch {
  /** `body` is only valid during this call. */
  constructor(input, body, { redelivered, headers, announce, skip, count, first }) {
    this.port = input.port
    this.wire = input.wire
    this.redelivered = redelivered
    this.announce = announce
    this.first = first - skip // the number of the array's element 0
    this.at = skip
    this.end = skip + count
    this.messages = null
    this.headers = null
    this.ids = null
    this._withHeaders = headers
    this._text = bytes.text(body)
    this._long = hasLongInteger(body)
    this._raw = this._text.includes('\ufffd') ? Uint8Array.from(body) : null // perhaps invalid UTF-8
  }

  decode() {
    let messages
    let headers = null
    if (this._raw !== null && isValid(this._raw)) this._raw = null
    try {
      if (this._raw !== null) throw new DataError('invalid UTF-8')
      messages = JSON.parse(this._long ? markIntegers(this._text) : this._text)
      if (this._withHeaders) [headers, messages] = messages
      const special = this._long || isSpecial(this._text)
      for (let i = this.at; i < this.end; i++) messages[i] = checked(messages[i], special)
    } catch {
      [headers, messages] = this._decodeEach()
    }
    if (!Array.isArray(messages) || messages.length < this.end) throw new Error('DATA has fewer messages than it says')
    this._text = this._raw = null
    this.messages = messages
    if (headers !== null) this._takeHeaders(headers)
  }

  /** The slow way, when the body as a whole is not JSON or not UTF-8: only the messages at fault become errors. */
  _decodeEach() {
    let text = this._raw === null ? this._text : latin1(this._raw)
    let headers = null
    if (this._withHeaders) {
      const middle = text.indexOf(',\n\n')
      headers = JSON.parse(this._raw === null ? text.slice(1, middle) : utf8(text.slice(1, middle)))
      text = text.slice(middle + 3, -1)
    }
    const parts = text.slice(1, -1).split(',\n')
    return [headers, parts.map((part) => {
      try {
        return decode(this._raw === null ? part : utf8(part))
      } catch (error) {
        return new Undecodable(error)
      }
    })]
  }

  /** The header `id` is the message's id (PROTOCOL.md section 3) and is not shown. */
  _takeHeaders(headers) {
    for (let i = this.at; i < this.end; i++) {
      const header = headers[i]
      if (header === null) continue
      if (header.id !== undefined) {
        this.ids ??= new Map()
        this.ids.set(i, header.id)
        delete header.id
      }
      headers[i] = Object.keys(header).length ? Object.freeze(header) : null
    }
    this.headers = headers
  }
}

function checked(message, special) {
  try {
    return special ? restore(message, 0) : check(message, 0)
  } catch (error) {
    return new Undecodable(error)
  }
}

function isValid(bytes) {
  try {
    strict.decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Bytes as a text of as many characters, to be cut and given to utf8(). */
function latin1(bytes) {
  const parts = []
  for (let at = 0; at < bytes.length; at += PART_BYTES) parts.push(String.fromCharCode(...bytes.subarray(at, at + PART_BYTES)))
  return parts.join('')
}

function utf8(latin1) {
  try {
    return strict.decode(Uint8Array.from(latin1, (char) => char.charCodeAt(0)))
  } catch {
    throw new DataError('invalid UTF-8')
  }
}
