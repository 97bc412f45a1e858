// A host of the page: the core behind a MessagePort. The same in a Worker of its own and in the page's window.

import { ending } from './platform.mjs' // first: the core needs it as it is loaded
import { joined } from './frames.mjs'
import { Host } from '../javascript/core/host.mjs'
import { platform } from '../javascript/core/platform.mjs'
import { prints } from '../javascript/core/prints.mjs'
import { loader } from './loader.mjs'

/** Begins a host that speaks over `port`; `end()` ends it. `pid`: of the process that it stands for, if there is one. */
export function begin(port, end, pid = 0) {
  ending.end = (status, why) => {
    port.postMessage({ exit: status, why })
    end()
  }
  const transport = {
    write(bytes) {
      const copy = bytes.slice()
      port.postMessage(copy, [copy.buffer])
    },
  }
  const host = new Host(transport, loader)
  globalThis.addEventListener('error', (event) => { if (loader.ownerOf(event.error?.stack ?? '') !== null) prints.stray(event.error) })
  globalThis.addEventListener('unhandledrejection', (event) => { if (loader.ownerOf(event.reason?.stack ?? '') !== null) prints.stray(event.reason) })
  let come = [] // what waits when a turn ends is taken in as a whole: a PAUSE behind messages comes before their turns
  const take = () => {
    const all = come.length === 1 ? come[0] : joined(come)
    come = []
    host.receive(all)
  }
  port.onmessage = ({ data }) => { if (come.push(data) === 1) platform.defer(take) }
  host.hello({ runtime: 'browser', version: '1.0', pid })
}
