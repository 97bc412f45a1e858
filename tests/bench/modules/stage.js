'use strict'
// stage.py in JavaScript.

module.exports = (message) => {
  message.value += 1
  return message
}
