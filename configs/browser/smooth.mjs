// Adds the mean of the last readings. Over how many, any page may say; all are told.

export default (message, context) => {
  if (context.port === 'setting') {
    context.set('readings', message.readings)
    context.send('setting', { readings: message.readings })
    return
  }
  const last = [...context.get('last', []), message.cpu].slice(-context.get('readings', 10))
  context.set('last', last)
  const mean = last.reduce((sum, cpu) => sum + cpu, 0) / last.length
  return { ...message, mean: Math.round(mean * 10) / 10 }
}
