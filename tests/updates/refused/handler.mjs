const count = (context, key) => context.set(key, context.get(key, 0) + 1)

export default (message, context) => {
  count(context, 'n')
  return [context.config.version, ...message]
}

export function start(context) {
  count(context, 'starts')
  if (context.config.refuse === 'start') throw new Error('refused')
  if (context.config.refuse === 'die') process.reallyExit(9)
}

// STOP
export function stop(context) {
  count(context, 'stops')
}
