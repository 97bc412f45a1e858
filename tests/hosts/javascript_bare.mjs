// `node --experimental-vm-modules javascript_bare.mjs INPUT OUTPUT`: the core of runtimes/javascript in a realm that has what a page's Worker has, and
// nothing of node: no require, process, Buffer or setImmediate, and no text is run as code. Node only carries the bytes and reads the files.

import fs from 'node:fs'
import vm from 'node:vm'
import { format, inspect } from 'node:util'

const CORE = new URL('../../runtimes/javascript/core/', import.meta.url)
const WEB = { TextDecoder, TextEncoder, atob, btoa, console, performance, setTimeout }
const context = vm.createContext({ ...WEB }, { codeGeneration: { strings: false, wasm: false } })

const END = `
import { use } from './platform.mjs'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const write = (bytes, text, at) => encoder.encodeInto(text, bytes.subarray(at)).written
const shift = (text) => Uint8Array.from(text, (char) => char.charCodeAt(0))
const isBase64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

export function start(outer) {
  use({
    bytes: {
      alloc: (size) => new Uint8Array(size).fill(255),
      write,
      writeAscii: write,
      text: (bytes, start, end) => decoder.decode(bytes.subarray(start, end)),
      byteLength: (text) => encoder.encode(text).length,
      base64: (bytes) => btoa(String.fromCharCode(...bytes)),
      fromBase64: (text) => shift(isBase64.test(text) ? atob(text) : ''),
    },
    defer: (task) => setTimeout(task, 0),
    random: () => String(Math.random()),
    runAs: (slot, code, ...values) => code(...values),
    running: () => null,
    hint: () => '',
    ...outer.platform,
  })
}

export function connect({ Host }, outer) {
  const loader = {
    ownerOf: () => null,
    load: (spec) => ({
      run: async () => functionsOf(await outer.evaluate(spec)),
      shorten: (text) => text,
      locate(stack) {
        const found = /m(\\d+):(\\d+):(\\d+)/.exec(stack)
        return found ? { file: spec.name, line: Number(found[2]), column: Number(found[3]) } : undefined
      },
      remove() {},
    }),
  }
  const host = new Host({ write: outer.write }, loader)
  host.hello({ runtime: 'bare', version: '1', pid: 0 })
  return (bytes) => host.receive(Uint8Array.from(bytes))
}

function functionsOf({ default: handler = null, ...hooks }) { return { handler, hooks } }
`

const modules = new Map()

/** A file of the core; anything else is refused. */
function find(specifier) {
  if (!/^\.\/\w+\.mjs$/.test(specifier)) throw new Error(`the core imports ${specifier}`)
  if (!modules.has(specifier)) {
    const url = new URL(specifier, CORE)
    modules.set(specifier, new vm.SourceTextModule(fs.readFileSync(url, 'utf8'), { context, identifier: url.href }))
  }
  return modules.get(specifier)
}

async function evaluate(module) {
  await module.link(find)
  await module.evaluate()
  return module.namespace
}

const [input, output] = process.argv.slice(-2)
const bytes = fs.createReadStream(input, { fd: fs.openSync(input) })
const fd = fs.openSync(output, 'w')
const outer = {
  platform: {
    exit(status, why = '') {
      fs.writeSync(2, why)
      process.exit(status)
    },
    format: (values) => format(...values),
    inspect: (thrown) => inspect(thrown),
    isOwnFrame: (line) => line.includes(CORE.href) || line.includes('node:') || line.includes('bare'),
  },
  write: (bytes) => { for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at) },
  evaluate: ({ code, module }) => evaluate(new vm.SourceTextModule(code, { context, identifier: module })),
}
const end = await evaluate(new vm.SourceTextModule(END, { context, identifier: 'bare' }))
end.start(outer)
const receive = end.connect(await evaluate(find('./host.mjs')), outer)
bytes.on('data', receive).on('end', () => process.exit(0))
