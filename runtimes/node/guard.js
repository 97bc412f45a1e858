'use strict'
// Keeps modules from ending the process that they share with others, and from starting it once more.

const fs = require('node:fs')
const { ExitError } = require('./errors')

const MARK = 'RUNNER_HOST_INPUT'
const exit = process.exit.bind(process)

/** From now on process.exit() is an error of the module that calls it. */
function keepAlive() {
  process.exit = (code = '') => {
    throw new ExitError(`process.exit(${code}) would end the other modules of this host too: throw an error instead`)
  }
}

/** Ends a child of a module that runs this program again, as cluster.fork() and Worker(process.argv[1]) do: the link is not its own. */
function refuseSecond(input) {
  if (process.env[MARK] === input) {
    fs.writeSync(2, 'this program runs the modules of a flow: give fork(), cluster.setupPrimary() or Worker a file of your own\n')
    exit(1)
  }
  process.env[MARK] = input
}

module.exports = { exit, keepAlive, refuseSecond }
