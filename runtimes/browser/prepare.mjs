// Prepares what browser modules import from npm: `packages/`, ES modules for pages, and `packages/index.json`, the names that may be
// imported. npm installs as for node, but runs no scripts; esbuild makes ES modules of whatever a package is. See docs/decisions/029.

import fs from 'node:fs'
import path from 'node:path'
import { createRequire, isBuiltin } from 'node:module'
import { spawnSync } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'

const TOOLS = ['esbuild@0.28.2', 'cjs-module-lexer@2.3.0']
const INSTALL = fileURLToPath(new URL('../node/prepare.js', import.meta.url))
const PACKAGES = 'packages'
const ENTRIES = '.entries' // no package has such a name
const MOST_NAMES = 300 // of a package's `exports`
const MAX_FILE_BYTES = 4 << 20
const CODE = /\.[cm]?js$/
const NAME = /^[A-Za-z_$][\w$]*$/
const COMMON = '__common' // the export that require() gives
const OPTIONS = {
  bundle: true, format: 'esm', platform: 'browser', minify: true, metafile: true, logLevel: 'silent', legalComments: 'eof',
  define: { global: 'globalThis', 'process.env': '{}', 'process.env.NODE_ENV': '"production"' },
}

const OWNER = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/

class Unfit extends Error {}

function install(folder, dependencies) {
  fs.mkdirSync(folder, { recursive: true })
  const options = { cwd: folder, input: JSON.stringify({ dependencies }), encoding: 'utf8', env: { ...process.env, npm_config_ignore_scripts: 'true' } }
  const done = spawnSync(process.execPath, [INSTALL], options)
  if (done.status !== 0) throw new Unfit(done.stderr.trim() || `npm ended with ${done.signal}`)
}

/** The folder of our own tools, installed once: whoever is first gives it its name. */
function tools() {
  const place = path.join(process.env.RUNNER_CACHE, 'tools', 'browser', TOOLS.join('+'))
  if (fs.existsSync(place)) return place
  const made = `${place}.${process.pid}`
  install(made, TOOLS)
  try {
    fs.renameSync(made, place)
  } catch (error) {
    if (!fs.existsSync(place)) throw error
    fs.rmSync(made, { recursive: true })
  }
  return place
}

/** The targets in a part of `exports`, whatever their conditions. */
function targets(part) {
  if (typeof part === 'string') return [part]
  return typeof part === 'object' && part !== null ? Object.values(part).flatMap(targets) : []
}

/** What may be imported of a package: its name, and what its `exports` list one by one. */
function namesOf(name) {
  const { exports } = JSON.parse(fs.readFileSync(path.join('node_modules', name, 'package.json'), 'utf8'))
  const listed = typeof exports === 'object' && exports !== null ? Object.entries(exports) : []
  const others = listed.filter(([key, part]) => key.startsWith('./') && !key.includes('*') && targets(part).some((target) => CODE.test(target)))
  return others.slice(0, MOST_NAMES).map(([key]) => name + key.slice(1))
}

/** In place of what is part of node: whoever comes to it is told. `sure`: those that are imported in any case. */
function withoutNode(sure) {
  return {
    name: 'without node',
    setup(build) {
      build.onResolve({ filter: /^[a-z][\w:/]*$/ }, async ({ path: wanted, kind, importer, resolveDir, pluginData }) => {
        if (pluginData === 'again' || !isBuiltin(wanted)) return undefined
        const found = await build.resolve(wanted, { kind, importer, resolveDir, pluginData: 'again' })
        if (found.errors.length === 0) return found // a package of that name, or what the package says to take in its place
        if (kind === 'import-statement') sure.add(wanted)
        return { path: wanted, namespace: 'node', pluginData: OWNER.exec(importer)?.[1] ?? 'a package' }
      })
      build.onLoad({ filter: /.*/, namespace: 'node' }, ({ path: wanted, pluginData: owner }) => ({
        contents: `throw new Error(${JSON.stringify(`${owner} needs ${wanted}, a part of node: a browser has none`)}); module.exports = {}`,
      }))
    },
  }
}

function sentence(name, error) {
  const [first] = error.errors ?? []
  return `${name}: ${first === undefined ? error.message : `${first.text}${first.location ? ` (${first.location.file})` : ''}`}`
}

/** {file, isCommon} of what a name leads to in a browser. Raises Unfit. */
async function look(esbuild, name) {
  const sure = new Set()
  let done
  try {
    done = await esbuild.build({ ...OPTIONS, entryPoints: [name], outdir: PACKAGES, write: false, plugins: [withoutNode(sure)] })
  } catch (error) {
    throw new Unfit(sentence(name, error))
  }
  if (sure.size > 0) throw new Unfit(`${name} needs ${[...sure].sort().join(', ')}, a part of node: a browser has none`)
  const file = Object.values(done.metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined).entryPoint
  return { file, isCommon: done.metafile.inputs[file].format !== 'esm' }
}

/** The names that a CommonJS file exports, as node finds them. */
function exportsOf(file, parse, seen = new Set()) {
  if (seen.has(file) || !CODE.test(file)) return []
  seen.add(file)
  try {
    const { exports, reexports } = parse(fs.readFileSync(file, 'utf8'))
    const { resolve } = createRequire(pathToFileURL(path.resolve(file)))
    return [...exports, ...reexports.filter((other) => !isBuiltin(other)).flatMap((other) => exportsOf(resolve(other), parse, seen))]
  } catch {
    return []
  }
}

/** A CommonJS package as an ES module: `default` is what bundlers make of it. */
function entryOf(name, file, parse) {
  const names = [...new Set(exportsOf(file, parse))].filter((found) => NAME.test(found) && found !== 'default' && found !== COMMON)
  return `import given from ${JSON.stringify(name)}
const whole = given
export default whole && whole.__esModule && 'default' in whole ? whole.default : whole
${names.map((found, at) => `const x${at} = whole.${found}`).join('\n')}
export { ${[...names.map((found, at) => `x${at} as ${found}`), `whole as ${COMMON}`].join(', ')} }
`
}

async function main() {
  const { dependencies } = JSON.parse(fs.readFileSync(0, 'utf8'))
  console.log('installing')
  install('.', dependencies)
  const tool = createRequire(path.join(tools(), 'x.js'))
  const esbuild = tool('esbuild')
  const { parse, init } = tool('cjs-module-lexer')
  await init?.()
  console.log('making ES modules')
  const wanted = Object.keys(JSON.parse(fs.readFileSync('package.json', 'utf8')).dependencies ?? {})
  const found = new Map()
  for (const name of wanted) {
    found.set(name, await look(esbuild, name))
    for (const other of namesOf(name)) {
      const looked = await look(esbuild, other).catch((error) => { if (!(error instanceof Unfit)) throw error })
      if (looked !== undefined) found.set(other, looked)
    }
  }
  fs.mkdirSync(ENTRIES)
  const entryPoints = [...found].map(([name, { file, isCommon }], at) => {
    if (!isCommon) return { in: name, out: name }
    const entry = `./${ENTRIES}/${at}.mjs`
    fs.writeFileSync(entry, entryOf(name, file, parse))
    return { in: entry, out: name }
  })
  await esbuild.build({
    ...OPTIONS, entryPoints, outdir: PACKAGES, splitting: true, chunkNames: 'chunk-[hash]', plugins: [withoutNode(new Set())],
  }).catch((error) => { throw new Unfit(sentence(wanted.join(', '), error)) })
  fs.writeFileSync(path.join(PACKAGES, 'index.json'), JSON.stringify([...found.keys()]))
  for (const name of fs.readdirSync(PACKAGES, { recursive: true })) {
    const file = path.join(PACKAGES, name)
    const { size } = fs.statSync(file)
    if (size > MAX_FILE_BYTES) throw new Unfit(`${name} has ${Math.ceil(size / 1e6)} MB: a page gets at most ${MAX_FILE_BYTES >> 20}`)
    if (!fs.statSync(file).isDirectory()) fs.writeFileSync(`${file}.gz`, gzipSync(fs.readFileSync(file)))
  }
  for (const rest of ['node_modules', ENTRIES]) fs.rmSync(rest, { recursive: true, force: true })
}

try {
  await main()
} catch (error) {
  if (!(error instanceof Unfit)) throw error
  console.error(error.message)
  process.exitCode = 1
}
