'use strict'
// source.py in JavaScript.

function* readings(count) {
  for (let number = 0; number < count; number++) {
    yield { id: number, sensor: 'hall-3/temperature', value: 21.375, unit: 'C', ok: true, tags: ['a', 'b'] }
  }
}

module.exports = (message) => message
module.exports.start = (context) => readings(context.config.count)
module.exports.readings = readings
