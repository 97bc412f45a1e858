// The node host, which host.js starts: runs the modules of one runtime for a runner (../PROTOCOL.md).

import './platform.mjs' // first: the core needs it as it is loaded
import fs from 'node:fs'
import { Host } from '../javascript/core/host.mjs'
import { exit, keepAlive, refuseSecond } from './guard.mjs'
import { loader } from './loader.mjs'
import { OutputPipe, listen } from './pipes.mjs'
import { capture } from './streams.mjs'

const [input, output] = process.argv.slice(-2)
refuseSecond(input)
keepAlive()
Error.stackTraceLimit = 30 // the user's frames may be below those of a library
const environment = process.argv[2].startsWith('--environment=') ? process.argv[2].slice(14) : null
// Modules are files below the working directory: `require` and `import` both find packages from there.
if (environment) fs.symlinkSync(`${environment}/node_modules`, 'node_modules')
let host = null
listen(input, (bytes) => host.receive(bytes), () => exit(0))
host = new Host(new OutputPipe(output), loader)
capture()
host.hello({ runtime: 'node', version: process.versions.node, pid: process.pid })
