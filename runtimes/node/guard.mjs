// Keeps modules from ending the process that they share with others, and from starting it once more.

import fs from 'node:fs'

/** A module that would end the host. */
class ExitError extends Error {
  get name() { return 'ExitError' }
}

const MARK = 'RUNNER_HOST_INPUT'
export const exit = process.exit.bind(process)

/** From now on process.exit() is an error of the module that calls it. */
export function keepAlive() {
  process.exit = (code = '') => {
    throw new ExitError(`process.exit(${code}) would end the other modules of this host too: throw an error instead`)
  }
}

/** Ends a child of a module that runs this program again, as cluster.fork() and Worker(process.argv[1]) do: the link is not its own. */
export function refuseSecond(input) {
  if (process.env[MARK] === input) {
    fs.writeSync(2, 'this program runs the modules of a flow: give fork(), cluster.setupPrimary() or Worker a file of your own\n')
    exit(1)
  }
  process.env[MARK] = input
}
