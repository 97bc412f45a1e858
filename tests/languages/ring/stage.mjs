export default (message, context) => {
  const count = context.get('count', 0) + 1
  const total = context.get('total', 0) + message.magnitude
  context.set('count', count)
  context.set('total', total)
  message.trail.push([count, total])
  return message
}
