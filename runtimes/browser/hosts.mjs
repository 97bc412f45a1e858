// The hosts of a page: which module is in which, and how code is loaded, put in place of other code, wired and started in them.

import { KIND } from '../javascript/core/link.mjs'
import { bytesOf } from './frames.mjs'

const WORKER = 'worker'
export const WINDOW = 'window'
const SLOTS = 65_000

export class Hosts {
  /**
   * instances (module -> Instance), the runner's
   * spawn     (kind): a promise of {port, kill()}: a host in a Worker or in the window
   * linked    (host, port): the HostLink to it
   * log       (level, text, module), and tell ({error}): for the page
   */
  constructor(instances, { spawn, linked, log, tell }) {
    this._instances = instances
    this._spawn = spawn
    this._linked = linked
    this._log = log
    this._tell = tell
    this.all = new Map() // key -> {key, link, kill, ...}; its link is null when it is dead
  }

  /** Of the host of a module. */
  keyOf(module, { window, isolated, timeoutS }) {
    if (window) return WINDOW
    return isolated || timeoutS !== null ? `${WORKER}:${module}` : WORKER
  }

  async open(key) {
    let host = this.all.get(key)
    if (host === undefined) {
      host = { key, link: null, kill: null, slots: new Map(), ways: new Map(), channels: new Map(), loads: 0, inputs: 0, deaths: 0 }
      this.all.set(key, host)
    }
    if (host.link === null) {
      const { port, kill } = await this._spawn(key === WINDOW ? WINDOW : WORKER)
      host.kill = kill
      host.link = this._linked(host, port)
    }
    return host
  }

  close(host) {
    this.all.delete(host.key)
    host.link?.end()
    host.kill?.()
  }

  async pause(instance) {
    instance.isOpen = false
    await instance.host.ask(KIND.PAUSE, instance.slot)
    instance.takeBack()
  }

  /** Its code is no more; what waits for it and its context stay. It is paused. */
  async retire(instance) {
    const { host, slot, hooks, key } = instance
    if (host !== null) {
      if (hooks.includes('stop') || instance.isSource) {
        const stopped = await host.ask(KIND.CALL, slot, '{"hook":"stop"}')
        if (stopped !== null && !stopped.ok) this._log('error', `stop failed: ${stopped.error.message}`, instance.module)
      }
      await host.ask(KIND.UNLOAD, slot)
      this.all.get(key)?.slots.delete(slot)
    }
    instance.unload()
  }

  /** The slot in which the new version is; null if it cannot be loaded: then the old one, if there is one, goes on. */
  async load(host, instance, about) {
    const number = host.loads = (host.loads + 1) % SLOTS
    const result = await host.link?.ask(KIND.LOAD, number, instance.loadBody(about.load))
    if (result?.ok) return { number, hooks: result.hooks }
    instance.refused = about.version
    const error = result?.error ?? { type: 'HostDied', message: 'its Worker ended while it was loaded' }
    const place = error.file === undefined ? '' : ` (${error.file}${error.line === undefined ? '' : `:${error.line}`})`
    this._complain(instance, `cannot be loaded: ${error.type}: ${error.message}${place}`)
    return null
  }

  async migrate(instance, from) {
    if (!instance.hooks.includes('migrate')) return
    const result = await instance.host.ask(KIND.CALL, instance.slot, `{"hook":"migrate","from_version":${from},"context":${instance.contextText()}}`)
    if (result !== null && !result.ok) this._complain(instance, `migrate failed: ${result.error.message}`)
  }

  /** `start`, with the context as it is now: the old version may have changed it while this one was loaded. */
  async start(instance) {
    if (instance.host === null) return
    const result = await instance.host.ask(KIND.CALL, instance.slot, `{"hook":"start","turns":${instance.turns},"context":${instance.contextText()}}`)
    if (result === null) return
    if (!result.ok) this._complain(instance, `start failed: ${result.error.message}`)
    instance.isSource = result.source === true
    instance.isOpen = result.ok
  }

  _complain(instance, what) {
    this._log('error', what, instance.module)
    this._tell({ error: `${instance.module}: ${what}` })
  }

  // ---------------------------------------------------------------- wires

  /** Of the places that a port leads to in this page (null: it leads to the gateway): those in the same host, and the others. */
  _wiring(instance, ports) {
    const out = {}
    const ways = new Map()
    const { ways: numbers } = this.all.get(instance.key)
    for (const [port, places] of Object.entries(ports)) {
      const targets = []
      const fused = []
      for (const [module, toPort, wire] of places ?? []) {
        const target = this._instances.get(module)
        if (target !== undefined && target.host === instance.host) fused.push([target.slot, toPort, wire])
        else targets.push([module, toPort, wire])
      }
      const name = `${instance.slot} ${port}`
      if (!numbers.has(name)) numbers.set(name, numbers.size)
      const channel = places === null || targets.length > 0 ? numbers.get(name) : null
      if (channel !== null) ways.set(channel, { instance, port, isRemote: places === null, targets })
      out[port] = { channel, ids: false, fused }
    }
    const told = JSON.stringify(out)
    return { out: told, ways, name: `${told} ${JSON.stringify(ports)}` }
  }

  /** Whether messages can be between two hosts of the page. */
  hasInside() { return [...this.all.values()].some(({ channels }) => [...channels.values()].some(({ targets }) => targets.length > 0)) }

  isWiredAnew(here) {
    return Object.entries(here).some(([module, { out }]) => {
      const instance = this._instances.get(module)
      return instance.host !== null && this._wiring(instance, out).name !== instance.wired
    })
  }

  /** Nothing is under way. */
  wireAll(here) {
    for (const [module, { out }] of Object.entries(here)) {
      const instance = this._instances.get(module)
      if (instance.host === null) continue
      const wiring = this._wiring(instance, out)
      const { channels } = this.all.get(instance.key)
      for (const [channel, way] of wiring.ways) channels.set(channel, way)
      instance.wired = wiring.name
      if (wiring.out === instance.wires) continue
      instance.wires = wiring.out
      this._writeWires(instance)
    }
    for (const module of Object.keys(here)) this._instances.get(module).feeds = [...this._fedBy(module, here)]
  }

  /** The instances in other hosts of the page that get what a message for this one makes here and in those fused with it. */
  _fedBy(module, here, found = new Set(), seen = new Set([module])) {
    const { host } = this._instances.get(module)
    for (const [to] of Object.values(here[module]?.out ?? {}).flatMap((places) => places ?? [])) {
      const target = this._instances.get(to)
      if (target === undefined || seen.has(to)) continue
      if (target.host !== host) found.add(target)
      else this._fedBy(to, here, found, seen.add(to))
    }
    return found
  }

  _writeWires(instance) {
    const inputs = {}
    for (const { port, wire, channel } of instance.inputs.values()) inputs[channel] = [port, wire]
    instance.host.write(KIND.WIRES, { slot: instance.slot }, bytesOf(`{"in":${JSON.stringify(inputs)},"out":${instance.wires}}`))
  }

  /** The channel of an input that may be new: one more may come at any time. */
  newInput(instance, port, wire) {
    const host = this.all.get(instance.key)
    const channel = ++host.inputs
    instance.inputs.set(`${port} ${wire}`, { port, wire, channel })
    this._writeWires(instance)
    return channel
  }
}
