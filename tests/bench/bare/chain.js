'use strict'
// `node chain.js LENGTH COUNT WARM`: the functions of a chain called one after the other, each by its own setImmediate.

const { readings } = require('../modules/source.js')
const stage = require('../modules/stage.js')
const meter = require('../modules/meter.js')

const AT_ONCE = 1000
const [length, count, warm] = process.argv.slice(2).map(Number)
const functions = [...Array(length - 1).fill(stage), meter]
const source = readings(count)
meter.start({ config: { count, warm } })
let underWay = 0

function step(index, message) {
  const value = functions[index](message)
  if (index + 1 < length) {
    setImmediate(step, index + 1, value)
    return
  }
  if (value !== undefined) console.log(JSON.stringify(value))
  if (--underWay === 0) fill()
}

function fill() {
  for (let next; underWay < AT_ONCE && !(next = source.next()).done;) {
    underWay++
    setImmediate(step, 0, next.value)
  }
}

fill()
