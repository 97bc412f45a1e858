// What a JSONata expression makes of each message.

import jsonata from 'jsonata'

const OURS = ['headers', 'config']
// For a hint only: whether a function is there the library says itself.
const NAMES = `abs append assert average base64decode base64encode boolean ceil clone contains count decodeUrl
  decodeUrlComponent distinct each encodeUrl encodeUrlComponent error eval exists filter floor formatBase formatInteger
  formatNumber fromMillis join keys length lookup lowercase map match max merge millis min not now number pad
  parseInteger power random reduce replace reverse round shuffle sift single sort split spread sqrt string substring
  substringAfter substringBefore sum toMillis trim type uppercase zip`.split(/\s+/)

let library // where the names of its functions are found
const asking = jsonata('$__asking()')
asking.registerFunction('__asking', function () { library = this.environment })
await asking.evaluate()

export const checkConfig = ({ to }) => {
  let tree
  try {
    tree = jsonata(to).ast()
  } catch (error) {
    return { to: `is no JSONata expression: ${error.message} (at character ${error.position})` }
  }
  const wrong = faultOf(tree)
  return wrong && { to: wrong }
}

let expression

export const start = (context) => {
  expression = jsonata(context.config.to)
}

export default async (message, context) => {
  const made = await expression.evaluate(message, { headers: context.headers, config: context.config.with ?? {} })
  return made === undefined ? undefined : structuredClone(made) // JSONata's lists have marks of their own
}

// The first call of a function that is not there, as the end of a sentence. A name that the expression binds anywhere
// counts as bound everywhere, and all do where $eval may bind what nobody sees.
function faultOf(tree) {
  const nodes = [...inside(tree)]
  const bound = new Set(['', '$', ...OURS, ...nodes.flatMap(binds)])
  if (nodes.some((node) => node.type === 'variable' && node.value === 'eval')) return null
  const missing = nodes.flatMap(calls).filter(({ value }) => !bound.has(value) && library.lookup(value) === undefined)
  if (missing.length === 0) return null
  const { value, position } = missing.reduce((first, one) => (one.position < first.position ? one : first))
  const near = NAMES.filter((name) => isNear(name.toLowerCase(), value.toLowerCase())).slice(0, 3).map((name) => `$${name}`)
  const hint = near.length > 0 ? ` (near: ${near.join(', ')})` : ''
  return `calls $${value}, which JSONata does not have${hint} (at character ${position - value.length})`
}

function* inside(node) {
  if (typeof node !== 'object' || node === null) return
  yield node
  for (const part of Object.values(node)) yield* inside(part)
}

const binds = (node) => {
  if (node.type === 'bind') return [node.lhs.value]
  if (node.type === 'lambda') return node.arguments.map((one) => one.value)
  return [node.focus, node.index, node.type === 'index' && node.value].filter((name) => typeof name === 'string')
}

const calls = ({ type, procedure, rhs }) => {
  const called = { function: procedure, partial: procedure, apply: rhs }[type]
  return called?.type === 'variable' ? [called] : []
}

const isNear = (name, other) => name.startsWith(other) || other.startsWith(name) || edits(name, other) <= Math.min(2, name.length / 2)

function edits(from, to) {
  let row = Array.from({ length: to.length + 1 }, (_, n) => n)
  for (let n = 0; n < from.length; n++) {
    const before = row
    row = [n + 1]
    for (let m = 0; m < to.length; m++) row.push(Math.min(before[m + 1] + 1, row[m] + 1, before[m] + (from[n] !== to[m])))
  }
  return row.at(-1)
}
