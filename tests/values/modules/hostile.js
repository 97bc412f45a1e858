// A module that does what its program says with the values it gets, makes and keeps: the words are in cases.py.
//
// Its config is {"programs": {CASE: [STEP, ...]}, "die": [CASE, ...], "part": VALUE}; a message tells its case.

const vm = require('node:vm')

const PROGRAMS = {}
const KEPT = []
const TABLE = { prices: [20, { a: 1 }], name: 'table' }
const SHARED = [TABLE, JSON, Math]

class Point { constructor() { this.x = 1 } }
class Secret { #x = 1; get x() { return this.#x } }
class Money { constructor() { this.parts = [1] } toJSON() { return { cents: 5n, parts: this.parts } } }
class Rows extends Array {}
class Own extends Uint8Array {}
class Late extends Date {}
class Odd extends Error {}

const cyclicList = () => { const value = [1]; value.push(value); return value }
const cyclicObject = () => { const value = { a: [] }; value.a.push(value); return value }
const deep = (levels) => { let value = 0; for (let level = 0; level < levels; level++) value = level % 2 ? [value] : { d: value }; return value }
const bomb = () => { let value = []; for (let i = 0; i < 40; i++) value = [value, value]; return value }
const shared = () => { const part = { p: [1] }; return [part, part, { part }] }
function args() { return arguments }

const ODD = {
  date: () => new Date(0), bad_date: () => new Date(NaN), date_in: () => ({ a: [new Date(0)] }), late: () => new Late(0), map: () => new Map([[1, 2]]),
  set: () => new Set([1]), weak: () => new WeakMap(), regexp: () => /x/g, error: () => new Error('e'), odd_error: () => new Odd('o'),
  params: () => new URLSearchParams('a=1'), headers: () => new Headers({ a: '1' }), response: () => new Response('x'), form: () => new FormData(),
  blob: () => new Blob(['x']), url: () => new URL('http://a/?b'), point: () => new Point(), secret: () => new Secret(), money: () => new Money(),
  rows: () => Rows.from([1, [2]]), iterator: () => [1].values(), generator: () => (function* () { yield 1 })(), entries: () => new Map([[1, 2]]).entries(),
  iterable: () => ({ *[Symbol.iterator]() { yield 1 } }), boxed_number: () => new Number(1), boxed_text: () => new String('s'), boxed_in: () => [Object(true)],
  boxed_bigint: () => Object(1n), nan: () => NaN, infinity: () => ({ a: -Infinity }), minus_zero: () => -0, minus_zero_in: () => [{ a: -0 }], tiny: () => 5e-324,
  huge: () => 1.7976931348623157e308, tenth: () => 0.1, int53: () => 2 ** 53 - 1, int54: () => 2 ** 53, whole: () => 2 ** 60, whole_in: () => ({ a: [-(2 ** 62)] }),
  int64: () => 2 ** 63, bigint: () => 5n, wide: () => 2n ** 62n, min: () => -(2n ** 63n), over: () => 2n ** 63n, bigints: () => [1n, { a: -(2n ** 60n) }],
  surrogate: () => 'a\ud800', surrogate_key: () => ({ '\udc00': 1 }), nul: () => '\0\u2028\u{10ffff}', undefined: () => undefined, undefined_in: () => [undefined],
  undefined_field: () => ({ a: undefined, b: { c: undefined } }), hole: () => [1, , 2], sparse: () => new Array(4294967295), symbol: () => Symbol('s'),
  symbol_in: () => [Symbol('s')], symbol_key: () => ({ [Symbol('s')]: 1, a: 1 }), hidden: () => Object.defineProperty({ a: 1 }, 'b', { value: 2 }),
  only_hidden: () => Object.defineProperty({}, 'b', { value: 2 }), function: () => () => 1, class: () => Point, method: () => ({ f() {} }),
  promise_in: () => [Promise.resolve(1)], thenable: () => ({ then: 1 }), arguments: () => args(1, [2]), math: () => Math, json: () => JSON,
  to_json: () => ({ a: 1, toJSON() { return [1, { b: 2n }] } }), to_date: () => ({ toJSON() { return new Date(0) } }), to_self: () => ({ toJSON() { return this } }),
  to_nothing: () => [{ toJSON() {} }], to_json_in: () => [new Money(), { m: new Money() }], to_json_no: () => ({ toJSON: 1 }), getter: () => ({ get a() { return [1] } }),
  throwing: () => ({ get a() { throw new TypeError('no a') } }), array_extra: () => Object.assign([1], { extra: 2 }), match: () => /(a)(b)?/.exec('xa'),
  null_proto: () => Object.assign(Object.create(null), { a: { __proto__: null, b: 1 } }), own_proto: () => JSON.parse('{"__proto__":{"a":[1]},"b":1}'),
  inherits: () => Object.create({ a: 1 }), frozen: () => Object.freeze({ a: Object.freeze([1]) }), sealed: () => Object.seal([{ a: 1 }]),
  proxy: () => new Proxy({ a: [1] }, {}), proxy_array: () => new Proxy([1, { a: 1 }], {}), proxy_map: () => new Proxy(new Map(), {}),
  other_realm: () => vm.runInNewContext('({a: [1, {b: 2}]})'), other_array: () => vm.runInNewContext('[1, [2]]'), other_date: () => vm.runInNewContext('[new Date(0)]'),
  bytes: () => new Uint8Array([1, 255]), buffer: () => Buffer.from('ab'), part: () => new Uint8Array([1, 2, 3]).subarray(1), no_bytes: () => ({ b: Buffer.alloc(0) }),
  own_bytes: () => new Own(2), shared_bytes: () => new Uint8Array(new SharedArrayBuffer(2)), other_view: () => new Int16Array(1), view: () => new DataView(new ArrayBuffer(1)),
  array_buffer: () => new ArrayBuffer(1), own_object: () => ({ $bytes: 'YQ==' }), own_bad: () => ({ $bytes: [1] }), own_escaped: () => ({ $$bytes: Buffer.from('a') }),
  own_two: () => ({ $bytes: 'YQ==', b: 1 }), null_: () => null, nulls: () => [null, { null: null }], cyclic_list: cyclicList, cyclic_object: cyclicObject,
  deep: () => deep(110), deep_limit: () => deep(120), deep_over: () => deep(121), very_deep: () => deep(3000), bomb, shared, empty: () => ({}), empty_key: () => ({ '': 1 }),
  order: () => ({ b: 1, 2: 'x', a: 2, 1: 'y' }), big_text: () => 'x'.repeat(100_000), big_list: () => Array.from({ length: 20_000 }, (_, i) => i), long: () => '\u20ac'.repeat(600),
  quotes: () => '"'.repeat(1500), controls: () => ['\u0001'.repeat(300)],
}

/** The case that a message belongs to, "-" if it does not tell. */
function caseOf(message) {
  if (typeof message === 'string') return message.split(':')[0]
  if (typeof message === 'number') return String(Math.trunc(message))
  if (typeof message !== 'object' || message === null) return '-'
  if (message instanceof Uint8Array) return caseOf(Buffer.from(message).toString('latin1'))
  return caseOf(Array.isArray(message) ? message[0] : message.case)
}

const isObject = (value) => typeof value === 'object' && value !== null

/** Changes everything in a value that can be changed, but never what is the same after a death, or everybody's. */
function mutate(value, depth = 0) {
  if (depth > 5 || SHARED.includes(value) || !isObject(value) || Object.isFrozen(value)) return
  if (value instanceof Uint8Array) {
    value.fill(7)
    return
  }
  for (const key of Object.keys(value).slice(0, 100)) {
    if ('value' in Object.getOwnPropertyDescriptor(value, key)) mutate(value[key], depth + 1)
  }
  try {
    if (Array.isArray(value)) value.push('mutated')
    else {
      if (!('case' in value)) for (const key of Object.keys(value)) delete value[key]
      value.mutated = ['yes']
    }
  } catch {} // it does not let itself be changed
}

/** What a value is, with the types of all its parts. */
function saw(value, depth = 0) {
  if (depth > 130) return 'deeper'
  if (!isObject(value)) return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value).slice(0, 200)}`
  const kind = `${Object.getPrototypeOf(value)?.constructor.name}${Object.isFrozen(value) ? ' frozen' : ''}${Object.getOwnPropertySymbols(value).length || ''}`
  if (value instanceof Uint8Array) return `${kind} ${[...value]}`
  return `${kind}(${Object.keys(value).map((key) => `${key}: ${saw(value[key], depth + 1)}`).join(', ')})`
}

const wrapped = (name, value) => ({ case: name, v: value })

/** Does as the program says; returns what the handler returns. */
function act(message, context) {
  const name = context.moduleId
  PROGRAMS[name] ??= context.config
  const { programs, die } = PROGRAMS[name]
  const number = caseOf(message)
  if (die.includes(number) && !context.redelivered) process.kill(process.pid, 'SIGKILL')
  let value = message
  for (const [word, ...rest] of programs[number] ?? [['return']]) {
    switch (word) {
      case 'value': value = structuredClone(rest[0]); break
      case 'make': value = ODD[rest[0]](); break
      case 'dict': value = wrapped(number, value); break
      case 'list': value = [number, value]; break
      case 'twice': value = [number, value, value]; break
      case 'message': value = message; break
      case 'table': value = TABLE; break
      case 'part': value = wrapped(number, context.config.part); break
      case 'config': value = wrapped(number, { ...context.config, programs: null, die: null }); break
      case 'get': value = context.get(rest[0], wrapped(number, 'default')); break
      case 'set': context.set(rest[0], value); break
      case 'saw': context.set(`saw ${number}`, saw(message)); break
      case 'keep': KEPT.push(value); break
      case 'keep_message': KEPT.push(message); break
      case 'spoil': while (KEPT.length) mutate(KEPT.pop()); break
      case 'mutate': mutate(value); break
      case 'mutate_message': mutate(message); break
      case 'send': context.send(rest[0], value); break
      case 'send_with': context.send('out', value, { 'x-h': number }); break
      case 'catch':
        try {
          context.send('out', value)
        } catch (error) {
          context.send('side', [number, error.name, error.message])
        }
        break
      case 'catch_set':
        try {
          context.set('caught', value)
        } catch (error) {
          context.set('caught', [number, error.name, error.message])
        }
        break
      case 'fail': throw new RangeError(`case ${number}`)
      case 'return': return value
      case 'yields': return yields(value)
      default: throw new Error(`the word ${word}`)
    }
  }
  return undefined
}

/** Twice the same, changed between. */
function* yields(value) {
  yield value
  mutate(value)
  yield value
}
