'use strict'
// meter.py in JavaScript.

let seen = 0
let begun = 0
let warm = 0
let count = 0

module.exports = () => {
  seen++
  if (seen === warm) begun = performance.now()
  else if (seen === count) return { messages: count - warm, seconds: (performance.now() - begun) / 1000 }
  return undefined
}

module.exports.start = (context) => {
  seen = 0
  warm = context.config.warm
  count = context.config.count
}
