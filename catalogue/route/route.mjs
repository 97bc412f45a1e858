// Sends each message to the first port whose CEL expression is true.

import { parse } from '@marcbachmann/cel-js'

let ways

export const start = (context) => {
  ways = Object.entries(context.config.to).map(([port, when]) => [port, parse(when)])
}

export default (message, context) => {
  const words = { message, headers: context.headers }
  const way = ways.find(([, test]) => test(words) === true)
  context.send(way ? way[0] : 'rest', message)
}
