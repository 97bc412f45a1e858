// Lets pass what a CEL expression says yes to; `message` and `headers` are its words.

import { parse } from '@marcbachmann/cel-js'

let test

export const start = (context) => {
  test = parse(context.config.when)
}

export default (message, context) => {
  const said = test({ message, headers: context.headers })
  if (typeof said !== 'boolean') throw new TypeError(`\`when\` gives ${typeof said}, no true or false`)
  context.send(said ? 'out' : 'rest', message)
}
