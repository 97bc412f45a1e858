// The Worker of chromium.py: a host whose bytes go over a WebSocket; a text is its end. Whoever reads slowly holds it back, as a pipe does.

import { begin } from './hosting.mjs'
import { ending } from './platform.mjs'

const FULL_BYTES = 1 << 20
const link = new WebSocket(`ws://${location.host}/link`)
link.binaryType = 'arraybuffer'
const port = { onmessage: null, postMessage(data) { link.send(data instanceof Uint8Array ? data : `${data.exit} ${data.why}`) } }
ending.isFull = () => link.bufferedAmount > FULL_BYTES
link.onopen = () => begin(port, () => {}, Number(new URLSearchParams(location.search).get('pid')))
link.onmessage = ({ data }) => port.onmessage({ data: new Uint8Array(data) })
