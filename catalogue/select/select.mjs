// Lets pass what a CEL expression says yes to; `message` and `headers` are its words.

import { Environment, parse } from '@marcbachmann/cel-js'

let test

export const checkConfig = ({ when }) => {
  const wrong = faultOf(when)
  return wrong && { when: wrong }
}

export const start = (context) => {
  test = parse(context.config.when)
}

export default (message, context) => {
  const said = test({ message, headers: context.headers })
  if (typeof said !== 'boolean') throw new TypeError(`\`when\` gives ${typeof said}, no true or false`)
  context.send(said ? 'out' : 'rest', message)
}

// Why a text is no CEL expression that is true or false, as the end of a sentence.
function faultOf(text) {
  const words = new Environment().registerVariable('message', 'dyn').registerVariable('headers', 'map')
  const { valid, type, error } = words.check(text)
  if (!valid) return `is no CEL expression over message and headers: ${error.message.split('\n')[0]} (at character ${(error.range?.start ?? 0) + 1})`
  return ['bool', 'dyn'].includes(type) ? null : `gives ${type}, no true or false`
}
