// Sends each message to the first port whose CEL expression is true.

import { Environment, parse } from '@marcbachmann/cel-js'

let ways

export const checkConfig = ({ to }) =>
  Object.fromEntries(Object.entries(to).map(([port, when]) => [`to.${port}`, faultOf(when)]).filter(([, wrong]) => wrong))

export const start = (context) => {
  ways = Object.entries(context.config.to).map(([port, when]) => [port, parse(when)])
}

export default (message, context) => {
  const words = { message, headers: context.headers }
  const way = ways.find(([, test]) => test(words) === true)
  context.send(way ? way[0] : 'rest', message)
}

// Why a text is no CEL expression that is true or false, as the end of a sentence.
function faultOf(text) {
  const words = new Environment().registerVariable('message', 'dyn').registerVariable('headers', 'map')
  const { valid, type, error } = words.check(text)
  if (!valid) return `is no CEL expression over message and headers: ${error.message.split('\n')[0]} (at character ${(error.range?.start ?? 0) + 1})`
  return ['bool', 'dyn'].includes(type) ? null : `gives ${type}, no true or false`
}
