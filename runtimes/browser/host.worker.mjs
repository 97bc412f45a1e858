// The Worker of a host. It says when it is there; the first message brings the port to the page's runner.

import { begin } from './hosting.mjs'

Error.stackTraceLimit = 30
self.onmessage = ({ data }) => begin(data.port, () => self.close(), data.pid)
self.postMessage('here')
