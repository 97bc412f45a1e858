'use strict'
// The typed errors a module can meet, and how any thrown value is described to the runner. Knows no frames.

const HOST_FOLDER = __dirname
const MAX_TEXT_CHARS = 64 << 10

class HostError extends Error {
  get name() { return this.constructor.name }
}
/** A value that the data contract refuses. */
class DataError extends HostError {}
/** A context key, value or size that is refused. */
class ContextError extends HostError {}
/** A port that the module did not declare. */
class PortError extends HostError {}
/** A send outside a turn while too many wait for credit already. */
class CreditError extends HostError {}
/** Headers that may not be sent. */
class HeaderError extends HostError {}
/** A module that could not be loaded for a reason other than its own error. */
class LoadError extends HostError {}
/** What is longer than it may be, found out before it was written. */
class TooLarge extends HostError {}
/** A turn whose outputs and context changes exceed max_turn_bytes. */
class TurnTooLarge extends HostError {}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Text of bounded length that can be written as UTF-8. */
function clean(text) {
  return (text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) + '...' : text).replace(LONE_SURROGATE, '\ufffd')
}

/** What a thrown value says about itself; a hostile one (throwing getters) must not harm the host. */
function read(thrown) {
  try {
    if (!(thrown instanceof Error) && !(typeof thrown === 'object' && thrown !== null && 'message' in thrown)) {
      const text = typeof thrown === 'object' && thrown !== null ? JSON.stringify(thrown) : String(thrown)
      return { type: 'Error', message: text, stack: '' }
    }
    const named = typeof thrown.name === 'string' && thrown.name !== 'Error' && thrown.name
    const type = named || (thrown.constructor && thrown.constructor.name) || 'Error'
    return { type: String(type), message: String(thrown.message), stack: String(thrown.stack || '') }
  } catch {
    return { type: 'Error', message: 'an error that cannot be shown', stack: '' }
  }
}

/** The ERROR object of PROTOCOL.md section 4; `source` (loader.js) turns private paths into the user's names. */
function describe(thrown, source) {
  const { type, message, stack } = read(thrown)
  const described = { type: clean(type), message: clean(source ? source.shorten(message) : message) }
  if (!stack) return described
  const place = source && source.locate(stack)
  if (place) Object.assign(described, place)
  const lines = (source ? source.shorten(stack) : stack).split('\n')
  described.stack = clean(lines.filter((line) => !line.includes(HOST_FOLDER) && !line.includes('node:internal')).join('\n'))
  return described
}

module.exports = { DataError, ContextError, PortError, CreditError, HeaderError, LoadError, TooLarge, TurnTooLarge, clean, describe }
