// A module's text to its functions. Each load has a folder of its own, so nothing is shared or cached between loads.

import fs from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { LoadError } from '../javascript/core/errors.mjs'

const HOOKS = ['start', 'stop', 'migrate']
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname']
const EXPRESSION = 'module.expression = ('
const IS_ESM = /Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta'/
const MAY_BE_ESM = /await is only valid/ // at the top level; the parser says so before it comes to an export
const BASE = process.cwd()
const FOLDER = /\/(load-\w{6})\//
const MOST_OWNERS = 500
const owners = new Map() // folder -> slot, those that are gone too: their timers may go on

/** The text of one module in its folder, and the way from private paths back to the user's names. */
class Source {
  constructor(spec, slot) {
    this.name = path.basename(spec.name)
    this.folder = fs.mkdtempSync(path.join(BASE, 'load-'))
    if (owners.size === MOST_OWNERS) owners.delete(owners.keys().next().value)
    owners.set(path.basename(this.folder), slot)
    this.url = pathToFileURL(this.folder).href
    const kind = kindOf(spec.code, this.name, path.join(this.folder, this.name))
    this.isModule = kind.isModule
    this.shift = kind.prefix.length
    this.entry = kind.entry
    while (this.entry !== this.name && spec.files && this.entry in spec.files) this.entry = `_${this.entry}`
    this.file = path.join(this.folder, this.entry)
    const roots = [this.url, this.folder].map(escapeRegExp).join('|')
    this._place = new RegExp(`(?:${roots})/([^:'"\\n]+):(\\d+)(?::(\\d+))?`)
    this._places = new RegExp(`(?:${roots})/([^:'"\\n]+)((?::\\d+)*)`, 'g')
    for (const [name, text] of Object.entries(spec.files || {})) this._write(name, text)
    if (kind.isModule && kind.entry.endsWith('.js') && !(spec.files && 'package.json' in spec.files)) {
      this._write('package.json', '{"type":"module"}')
    }
    fs.writeFileSync(this.file, kind.prefix + kind.code)
  }

  _write(name, text) {
    const file = path.resolve(this.folder, name)
    if (!file.startsWith(this.folder + path.sep)) throw new LoadError(`the file name ${name} leaves the module's folder`)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text)
  }

  /** Text with the private folder's paths replaced by the user's names. */
  shorten(text) {
    return text.replace(this._places, (_, file, place) => {
      if (file !== this.entry) return file + place
      return this.name + (this.shift ? place.replace(/^:1:(\d+)/, (__, column) => `:1:${column - this.shift}`) : place)
    })
  }

  /** {file, line, column} of the first place of the module in a stack. */
  locate(stack) {
    const found = this._place.exec(stack)
    if (!found) return undefined
    const place = { file: found[1] === this.entry ? this.name : found[1], line: Number(found[2]) }
    if (found[3]) place.column = Number(found[3])
    else {
      const caret = /^\s*\^/.exec(stack.split('\n')[2] || '')
      if (caret) place.column = caret[0].length
    }
    if (place.line === 1 && found[1] === this.entry && place.column) place.column -= this.shift
    return place
  }

  /** The module's functions; a promise of them for an ES module. */
  run() {
    if (this.isModule) return this._import()
    const require = createRequire(path.join(this.folder, 'host'))
    const loaded = require(this.file)
    const { expression } = require.cache[this.file]
    if (typeof expression === 'function' && typeof loaded === 'object' && Object.keys(loaded).length === 0) {
      return functionsOf({ default: expression })
    }
    return functionsOf(typeof loaded === 'function' ? Object.assign({}, loaded, { default: loaded }) : loaded ?? {})
  }

  async _import() {
    try {
      return functionsOf(await import(pathToFileURL(this.file).href))
    } catch (error) {
      if (error instanceof SyntaxError && !this._place.test(error.stack)) this._findSyntaxError(error)
      throw error
    }
  }

  /** node keeps the place of an ES module's syntax error to itself, unless it is the main program. */
  _findSyntaxError(error) {
    const siblings = fs.readdirSync(this.folder).filter((name) => /\.[mc]?js$/.test(name) && name !== this.entry)
    for (const name of [this.entry, ...siblings]) {
      const checked = spawnSync(process.execPath, ['--check', path.join(this.folder, name)], { encoding: 'utf8', timeout: 5000 })
      if (checked.status !== 0 && this._place.test(checked.stderr)) {
        error.stack = checked.stderr.slice(checked.stderr.search(this._place)).replace(/\n\nNode\.js v[^]*$/, '')
        return
      }
    }
  }

  remove() {
    const { cache } = createRequire(import.meta.url)
    for (const file of Object.keys(cache)) if (file.startsWith(this.folder + path.sep)) delete cache[file]
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

/** What the core asks of it (../javascript/core/host.mjs). */
export const loader = { load: (spec, slot) => new Source(spec, slot), ownerOf }

function ownerOf(stack) { return owners.get(FOLDER.exec(stack)?.[1]) ?? null }

/** How a text is to be run: as an expression, a CommonJS module or an ES module; and the file name that makes node do so. */
function kindOf(code, name, file) {
  const extension = path.extname(name)
  const plain = { code, prefix: '', entry: name, isModule: false }
  const hasExtension = ['.js', '.mjs', '.cjs'].includes(extension)
  if (extension === '.mjs') return { ...plain, isModule: true }
  const expression = extension === '.cjs' ? null : expressionOf(code)
  const common = { ...plain, entry: hasExtension ? name : `${name}.cjs` }
  if (expression !== null) return { ...common, code: `${expression}\n)`, prefix: EXPRESSION }
  try {
    vm.compileFunction(code.replace(/^#!.*/, ''), PARAMETERS, { filename: file })
  } catch (error) {
    const isModule = IS_ESM.test(error.message) || (MAY_BE_ESM.test(error.message) && /^\s*(import|export)\b/m.test(code))
    if (extension !== '.cjs' && isModule) {
      return { ...plain, isModule: true, entry: hasExtension ? name : `${name}.mjs` }
    }
  }
  return common
}

/** The text without what may end a statement, if it is one expression: `(m) => m * 2`, `function run(m) {...}`. */
function expressionOf(code) {
  let text = code.replace(/;[ \t]*\/\/[^\n]*\s*$/, '').trimEnd()
  while (text.endsWith(';')) text = text.slice(0, -1).trimEnd()
  try {
    vm.compileFunction(`return (${text}\n)`, PARAMETERS)
    return text
  } catch {
    return null
  }
}

function functionsOf(loaded) {
  const functions = { handler: typeof loaded.default === 'function' ? loaded.default : null, hooks: {} }
  for (const hook of HOOKS) if (typeof loaded[hook] === 'function') functions.hooks[hook] = loaded[hook]
  if (typeof loaded.checkConfig === 'function') functions.checkConfig = loaded.checkConfig
  if (functions.handler === null && !functions.hooks.start) {
    throw new LoadError('the module has no handler: export a function, for instance "export default (message, context) => message"')
  }
  return functions
}

function escapeRegExp(text) { return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') }
