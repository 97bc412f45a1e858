// The typed errors a module can meet, and how any thrown value is described to the runner. Knows no frames.

import { isError } from './kinds.mjs'
import { platform } from './platform.mjs'

const MAX_TEXT_CHARS = 64 << 10
const MAX_CAUSES = 4

class HostError extends Error {
  get name() { return this.constructor.name }
}
/** A value that the data contract refuses. */
export class DataError extends HostError {}
/** A context key, value or size that is refused. */
export class ContextError extends HostError {}
/** A port that the module did not declare. */
export class PortError extends HostError {}
/** A send outside a turn while too many wait for credit already, or by a module that is not there any more. */
export class CreditError extends HostError {}
/** Headers that may not be sent. */
export class HeaderError extends HostError {}
/** What `checkConfig` has found wrong; `field` is the first one. */
export class ConfigError extends HostError {
  constructor(field, text) {
    super(text)
    this.field = field
  }
}
/** A module that could not be loaded for a reason other than its own error. */
export class LoadError extends HostError {}
/** What is longer than it may be, found out before it was written. */
export class TooLarge extends HostError {}
/** A handler call whose outputs and context changes exceed max_turn_bytes. */
export class TurnTooLarge extends HostError {}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g

/** Text of bounded length that can be written as UTF-8. */
export function clean(text) {
  return (text.length > MAX_TEXT_CHARS ? text.slice(0, MAX_TEXT_CHARS) + '...' : text).replace(LONE_SURROGATE, '\ufffd')
}

/** What a thrown value says about itself; a hostile one (throwing getters) must not harm the host. */
function read(thrown) {
  try {
    if (!isError(thrown)) return { type: nameOf(thrown), message: shown(thrown), stack: '', hint: '' }
    const stack = String(thrown.stack || '').replace(/\nRequire stack:(?:\n- .*)*/g, '')
    return { type: String(typeOf(thrown)), message: messageOf(thrown), stack: stack + causesOf(thrown), hint: platform.hint(thrown) }
  } catch {
    return { type: 'Error', message: 'an error that cannot be shown', stack: '', hint: '' }
  }
}

function typeOf(error) {
  const named = typeof error.name === 'string' && error.name !== 'Error' && error.name
  return named || error.constructor?.name || 'Error'
}

/** The class of what was thrown instead of an error. */
function nameOf(thrown) {
  const name = typeof thrown === 'object' && thrown !== null ? thrown.constructor?.name : undefined
  return typeof name === 'string' && name !== '' && name !== 'Object' ? name : 'Error'
}

/** What was thrown instead of an error, as it is. */
function shown(thrown) {
  return typeof thrown === 'string' ? thrown : platform.inspect(thrown)
}

/** An error's text with those of its causes: what is only "fetch failed" has the reason in there. */
function messageOf(error) {
  const [message] = String(error.message).split('\nRequire stack:')
  const reasons = [...causes(error)].map((cause) => isError(cause) ? `${typeOf(cause)}: ${cause.message}` : shown(cause))
  if (Array.isArray(error.errors)) reasons.push(...error.errors.slice(0, MAX_CAUSES).map((one) => isError(one) ? one.message : shown(one)))
  return reasons.length > 0 ? `${message} (${reasons.join('; ')})` : message
}

function* causes(error) {
  for (let left = MAX_CAUSES, at = error; left > 0 && isError(at) && at.cause !== undefined; left--) yield at = at.cause
}

function causesOf(error) {
  let text = ''
  for (const cause of causes(error)) text += `\ncaused by ${isError(cause) ? cause.stack : shown(cause)}`
  return text
}

/** The ERROR object of PROTOCOL.md section 4; `source` (the loader's) turns private paths into the user's names. */
export function describe(thrown, source) {
  if (thrown instanceof ConfigError) return { type: 'ConfigError', message: clean(thrown.message), config: clean(thrown.field) }
  const { type, message, stack, hint } = read(thrown)
  const text = hint === '' ? message : `${message}: ${hint}`
  const described = { type: clean(type), message: clean(source ? source.shorten(text) : text) }
  if (!stack) return described
  const place = source && source.locate(stack)
  if (place) Object.assign(described, place)
  const lines = (source ? source.shorten(stack) : stack).split('\n')
  described.stack = clean(lines.filter((line) => !/^\s*at /.test(line) || !platform.isOwnFrame(line)).join('\n'))
  return described
}
