// A module's text as its functions: imported from blob: addresses, which a strict Content-Security-Policy allows where it forbids eval.
// The text is named runner:///FLOW/FILE, so that it stands under that name in stacks and in the browser's own debugger.

import { LoadError } from '../javascript/core/errors.mjs'

const HOOKS = ['start', 'stop', 'migrate']
const SCRIPT = /\.[cm]?js$/
const STATIC = /^(\s*(?:import|export)\b[^'"`;()]*?from\s*|\s*import\s*)(['"])([^'"]+)\2/gm
const DYNAMIC = /(\bimport\s*\(\s*)(['"])([^'"]+)\2(?=\s*\))/g
const RELATIVE = /^\.{1,2}\//
const ADDRESS = /^(\/|https?:|blob:|data:)/
const REQUIRE = /\brequire\s*\(\s*(['"])([^'"]+)\1\s*\)/g
const PACKAGES = new URL('../packages/', import.meta.url) // FLOW/ENVIRONMENT/FILE
const FOR_REQUIRE = '__common' // the export that is for require()
const COMMON = 'const module={exports:{}};let exports=module.exports;'
const MOST_OWNERS = 500
const SHOWN = 20
const owners = new Map() // the folder of a load -> its slot
let loads = 0

class Source {
  constructor(spec, slot) {
    this.name = spec.name.split('/').at(-1)
    this._spec = spec
    this._base = `runner:///${encodeURIComponent(spec.flow)}/${++loads}/`
    if (owners.size === MOST_OWNERS) owners.delete(owners.keys().next().value)
    owners.set(this._base, slot)
    this._urls = []
    this._addresses = new Map() // sibling -> its blob: address
    this._packages = null // what may be imported by name
    this.shift = 0
    const base = this._base.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
    this._place = new RegExp(`${base}([^:'"\\n]+):(\\d+)(?::(\\d+))?`)
    this._places = new RegExp(`${base}([^:'"\\n]+)((?::\\d+)*)`, 'g')
  }

  shorten(text) {
    return text.replace(this._places, (_, file, place) => this._fileOf(file) + (this._fileOf(file) === this.name && this.shift
      ? place.replace(/^:1:(\d+)/, (__, column) => `:1:${column - this.shift}`) : place))
  }

  locate(stack) {
    const found = this._place.exec(stack)
    if (!found) return undefined
    const place = { file: this._fileOf(found[1]), line: Number(found[2]) }
    if (found[3]) place.column = Number(found[3]) - (place.line === 1 && place.file === this.name ? this.shift : 0)
    return place
  }

  _fileOf(file) { return decodeURIComponent(file) }

  async run() {
    const { code, unit } = this._spec
    if (unit !== undefined) this._packages = await packagesOf(this._folder())
    const tries = /\.mjs$/.test(this.name) ? [this._asModule] : [this._asExpression, this._asModule]
    if (!/^\s*(import|export)\b/m.test(code) && !/\.mjs$/.test(this.name)) tries[1] = this._asCommon
    let failed
    for (const wrap of tries) {
      const [prefix, text] = wrap.call(this, code)
      this.shift = prefix.length
      try {
        return functionsOf(await import(this._address(this.name, prefix + text)))
      } catch (error) {
        if (!(error instanceof SyntaxError) || this._place.test(error.stack)) throw error
        failed = error
      }
    }
    throw failed
  }

  /** One expression, which may be an assignment to module.exports. */
  _asExpression(code) {
    const text = this._linkedLater(code, this.name).replace(/;[ \t]*\/\/[^\n]*\s*$/, '').trimEnd().replace(/[;\s]+$/, '')
    return [`${this._required(code)}${COMMON}const expression=(`, `${text}\n);export default typeof expression==='function'&&Object.keys(module.exports).length===0&&typeof module.exports==='object'?expression:module.exports`]
  }

  _asModule(code) { return ['', this._linked(code, this.name)] }

  /** `module.exports = ...`; require() finds siblings only. */
  _asCommon(code, from = this.name) {
    return [`${this._required(code, from)}${COMMON}(function(){`, `${this._linkedLater(code, from).replace(/^#!.*/, '')}\n}).call(exports);export default module.exports`]
  }

  /** What comes before a text that calls require(): the siblings, imported. */
  _required(code, from = this.name) {
    const names = [...new Set([...code.matchAll(REQUIRE)].map((found) => found[2]))]
    const imports = names.map((name, at) => (RELATIVE.test(name) ? `import required${at} from '${this._sibling(name, from, true)}';`
      : `import * as all${at} from '${this._package(name, from)}';const required${at}='${FOR_REQUIRE}' in all${at}?all${at}.${FOR_REQUIRE}:all${at};`))
    const known = names.map((name, at) => `${JSON.stringify(name)}:required${at}`)
    return `${imports.join('')}const require=(name)=>{const found={${known.join()}};if(name in found)return found[name];throw new Error(\`Cannot find module '\${name}': in a page require() gets literal names only\`)};`
  }

  /** The text with its relative imports as addresses. */
  _linked(code, from) {
    return this._linkedLater(code.replace(STATIC, this._linking(from)), from)
  }

  /** Only what import() names, which any text may call. */
  _linkedLater(code, from) { return code.replace(DYNAMIC, this._linking(from)) }

  _linking(from) {
    return (_, before, quote, path) => `${before}${quote}${RELATIVE.test(path) ? this._sibling(path, from) : this._package(path, from)}${quote}`
  }

  _folder() { return new URL(`${encodeURIComponent(this._spec.flow)}/${this._spec.unit}/`, PACKAGES).href }

  /** Where something of a package is, by the name that it is imported with. */
  _package(name, from) {
    if (ADDRESS.test(name)) return name
    if (this._packages?.includes(name)) return `${this._folder()}${name}.js`
    const found = /^(@[^/]+\/)?[^/]+/.exec(name)[0]
    const others = (this._packages ?? []).filter((other) => other === found || other.startsWith(`${found}/`))
    throw new LoadError(`${from} imports ${name}: ${others.length === 0 ? `if ${found} is a package of npm, name it in the module's \`dependencies:\``
      : `of ${found} a page can import ${others.slice(0, SHOWN).join(', ')}${others.length > SHOWN ? ' ...' : ''}`}`)
  }

  _sibling(path, from, isCommon = false) {
    const file = new URL(path, `file:///${from}`).pathname.slice(1)
    const text = this._spec.files?.[file]
    if (text === undefined) throw new LoadError(`${from} imports ${path}: name it in the module's \`files:\``)
    const known = this._addresses.get(file)
    if (known === null) throw new LoadError(`${from} imports ${path}, which imports it again: a circle cannot be loaded in a page`)
    if (known !== undefined) return known
    this._addresses.set(file, null)
    const address = this._addressOf(file, text, isCommon)
    this._addresses.set(file, address)
    return address
  }

  _addressOf(file, text, isCommon) {
    if (isCommon && /\.json$/.test(file)) return this._address(file, `export default ${text}`)
    if (isCommon && !/^\s*(import|export)\b/m.test(text)) return this._address(file, this._asCommon(text, file).join(''))
    return this._address(file, SCRIPT.test(file) ? this._linked(text, file) : `export default ${JSON.stringify(text)}`)
  }

  _address(file, text) { return this._blob(`${text}\n//# sourceURL=${this._base}${encodeURIComponent(file)}`, 'text/javascript') }

  _blob(text, type) {
    const url = URL.createObjectURL(new Blob([text], { type }))
    this._urls.push(url)
    return url
  }

  remove() { for (const url of this._urls.splice(0)) URL.revokeObjectURL(url) }
}

/** The names that may be imported from a folder of packages. */
async function packagesOf(folder) {
  const answer = await fetch(`${folder}index.json`).catch((error) => ({ ok: false, statusText: error.message }))
  if (!answer.ok) throw new LoadError(`its packages cannot be fetched from the gateway: ${answer.statusText || answer.status}`)
  return answer.json()
}

/** What the core asks of it (../javascript/core/host.mjs). */
export const loader = {
  load: (spec, slot) => new Source(spec, slot),
  ownerOf(stack) {
    const found = /runner:\/\/\/[^/\s]+\/\d+\//.exec(stack)
    return found === null ? null : owners.get(found[0]) ?? null
  },
}

function functionsOf(namespace) {
  let loaded = namespace
  const { default: main } = namespace
  if (typeof main === 'object' && main !== null) loaded = typeof main.default === 'function' || HOOKS.some((hook) => typeof main[hook] === 'function') ? main : namespace
  else if (typeof main === 'function') loaded = Object.assign({}, main, namespace)
  const functions = { handler: typeof loaded.default === 'function' ? loaded.default : null, hooks: {} }
  for (const hook of HOOKS) if (typeof loaded[hook] === 'function') functions.hooks[hook] = loaded[hook]
  if (typeof loaded.checkConfig === 'function') functions.checkConfig = loaded.checkConfig
  if (functions.handler === null && !functions.hooks.start) {
    throw new LoadError('the module has no handler: export a function, for instance "export default (message, context) => message"')
  }
  return functions
}
