import { setTimeout } from 'node:timers/promises'

export function start(context) {
  context.set('starts', context.get('starts', 0) + 1)
  context.send('notes', [context.config.version, 'start'])
  if (context.config.refuse === 'start') throw new Error('refused')
  if (context.config.refuse === 'die') process.reallyExit(9)
  return numbers(context)
}

async function* numbers(context) {
  let i = context.get('i', 0)
  while (true) {
    await setTimeout(2)
    i += 1
    context.set('i', i)
    yield [context.config.version, i]
  }
}

export function migrate(context) {
  const { refuse } = context.config
  if (refuse === 'migrate' || context.get(refuse) !== undefined) throw new Error('refused')
}

// STOP
export function stop(context) {
  context.set('stops', context.get('stops', 0) + 1)
  context.send('notes', [context.config.version, 'stop'])
}
