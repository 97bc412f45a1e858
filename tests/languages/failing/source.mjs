export function start(context) {
  const starts = context.get('starts', 0) + 1
  context.set('starts', starts)
  context.send('notes', starts)
  if (context.config.startFails.includes(starts)) throw new Error('no start')
  return numbers(context, starts)
}

function* numbers(context, starts) {
  for (let i = context.get('i', 0) + 1; i <= context.config.n; i++) {
    context.set('half', i)
    if (i === context.config.at && starts <= context.config.times) {
      context.set('lost', true)
      throw new Error('no luck') // HERE
    }
    context.set('i', i)
    yield i
  }
}
