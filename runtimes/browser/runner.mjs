// The page's runner: which modules run here, in which hosts, and what passes between them and the gateway. Knows no socket and makes no
// Worker: it is given `send` and `spawn`.

import { FLAG, FrameReader, KIND, NO_INDEX } from '../javascript/core/link.mjs'
import { platform } from '../javascript/core/platform.mjs'
import { bytesOf, frame, PAGE } from './frames.mjs'
import { HostLink } from './host_link.mjs'
import { Hosts, WINDOW } from './hosts.mjs'
import { Instance } from './instance.mjs'
import { Kept } from './kept.mjs'
import { Outgoing } from './outgoing.mjs'
import { tried } from './tried.mjs'

const { text } = platform.bytes
const MOST_DEATHS = 5 // of a host without a commit between them

export class Runner {
  /**
   * send    (bytes): to the gateway, false if there is no way to it now
   * spawn   (kind): a promise of {port, kill()}: a host in a Worker or in the window
   * tell    (what): for the page: {session}, {flow}, {error}
   * store   what outlives the page, or null
   */
  constructor({ send, spawn, tell, store = null }) {
    this._send = send
    this._spawn = spawn
    this._tell = tell
    this.received = 0 // the number of the last parcel that has come
    this._coming = 0 // and of the one that comes next
    this.session = this.client = ''
    this.kept = new Kept(store, this)
    this.hasInside = this._isAway = false // messages between two hosts; the gateway
    this.instances = new Map()
    this._hosts = new Hosts(this.instances, {
      spawn,
      linked: (host, port) => new HostLink(port, {
        committed: (rows, parts) => this._committed(host, rows, parts),
        said: (kind, header, body) => this._said(host, kind, header, body),
        ended: (why) => this._died(host, why),
      }),
      log: (level, said, module) => this.log(level, said, module),
      tell,
    })
    this.outgoing = new Outgoing()
    this._places = new Map() // number -> [module, port, wire], of this socket
    this._changes = Promise.resolve()
    this._changing = 0 // pictures that are not what runs yet
    this.early = [] // what has come behind them
    this._isScheduled = false
    this._isAgain = false
    this._reader = new FrameReader((header, body) => this._take(header, body), [KIND.DATA, PAGE.TRY])
  }

  // ---------------------------------------------------------------- the gateway

  /** A new socket: what came over the old one and was not whole is forgotten. */
  connected() {
    this._reader = new FrameReader((header, body) => this._take(header, body), [KIND.DATA, PAGE.TRY])
    this._places.clear()
    this._isAgain = true // the next picture says what of ours has been heard
  }

  /** There is no way to it now. */
  away() {
    this._isAway = true
    this._keep()
    this._schedule()
  }

  _keep() { this.kept.want(this.session !== '' && (this.hasInside || this._isAway)) }

  receive(bytes) {
    this._reader.feed(bytes)
    this._schedule()
  }

  _take(header, body) {
    const number = header.first // the header is another frame's later
    switch (header.kind) {
      case PAGE.FLOW: return this._show(JSON.parse(text(body)))
      case PAGE.WIRE: return this._places.set(header.slot, JSON.parse(text(body)))
      case PAGE.ACK:
        if (header.flags === 1) {
          this._coming = header.first
          return
        }
        this.outgoing.taken(header.first, (taken) => this.kept.note(['outgoing', taken], undefined))
        return this._goOn()
      case PAGE.TRY:
        tried(this._spawn, text(body), header.flags === 1).then((result) => this._send(frame(KIND.RESULT, { first: number }, bytesOf(JSON.stringify(result)))))
        return
      default: return this._deliver(header, body)
    }
  }

  _deliver({ slot, flags, skip, count, first }, body) {
    const [module, port, wire] = this._places.get(slot)
    const parcel = { port, wire, body: body.slice(), flags, skip, count, first, isRemote: true }
    this.kept.parcel(module, parcel)
    this.kept.note(['received'], this.received = this._coming)
    if (this._changing > 0) this.early.push([module, parcel])
    else this._add(this.instance(module), parcel)
  }

  _add(instance, parcel) {
    instance.add(parcel)
    this._refill(instance)
  }

  instance(module) {
    let instance = this.instances.get(module)
    if (instance === undefined) {
      instance = new Instance(module, (port, wire) => this._hosts.newInput(instance, port, wire), (parcel, count) => this.kept.done(parcel, count))
      this.instances.set(module, instance)
    }
    return instance
  }

  /** The picture of what runs: what it changes is changed one picture after the other. */
  _show(picture) {
    const { session, client, heard, contexts } = picture.you
    this._places.clear()
    if (this._isAgain) {
      this._isAgain = false
      const isNew = session !== this.session
      if (isNew) for (const instance of this.instances.values()) instance.forgetSession()
      Object.assign(this, { session, client, _isAway: false })
      if (isNew) this.received = 0 // its parcels are numbered anew
      this.outgoing.again(heard, isNew)
      if (isNew) {
        this._tellContexts()
        this.kept.begin()
      }
      this._keep()
      this._tell({ session, client })
    }
    for (const [module, context] of Object.entries(contexts ?? {})) {
      if (!this.instances.has(module)) this.instance(module).context = new Map(Object.entries(context))
    }
    this._change(picture)
  }

  /** The runner knows nothing of what the modules here have. */
  _tellContexts() {
    for (const { module, context } of this.instances.values()) {
      if (context.size > 0) this.outgoing.row(module, [0, 0, 0, 0, 0, 0, 0])
      for (const [key, value] of context) this.outgoing.change(module, key, value)
    }
  }

  _change(picture) {
    this._picture = picture
    this._changing++
    this._changes = this._changes.then(() => this._become(picture)).catch((error) => this.log('error', `the page's runner: ${error.stack}`))
      .then(() => {
        if (--this._changing > 0) return
        for (const [module, parcel] of this.early.splice(0)) this._add(this.instance(module), parcel)
      })
  }

  // ---------------------------------------------------------------- what runs

  /** New code is loaded beside the old; then everything is quiet for as long as it takes to put one in place of the other. */
  async _become(picture) {
    const here = picture.running ? picture.here : {}
    const loaded = []
    for (const [module, about] of Object.entries(here)) {
      const instance = this.instance(module)
      if (instance.version === about.version || instance.refused === about.version) continue
      const host = await this._hosts.open(this._hosts.keyOf(module, about))
      const slot = await this._hosts.load(host, instance, about)
      if (slot !== null) loaded.push({ instance, about, host, slot })
    }
    const gone = [...this.instances.values()].filter(({ module, version }) => version !== null && here[module] === undefined)
    if (loaded.length > 0 || gone.length > 0 || this._hosts.isWiredAnew(here)) {
      const open = [...this.instances.values()].filter(({ isOpen }) => isOpen)
      await Promise.all(open.map((instance) => this._hosts.pause(instance)))
      for (const instance of gone) await this._hosts.retire(instance)
      for (const { instance, about, host, slot } of loaded) {
        const from = instance.version === null ? null : instance.about.stateVersion
        if (instance.version !== null) await this._hosts.retire(instance)
        Object.assign(instance, { version: about.version, about, host: host.link, key: host.key, slot: slot.number, hooks: slot.hooks, timeoutS: about.timeoutS })
        host.slots.set(slot.number, instance)
        if (from !== null && from !== about.stateVersion) await this._hosts.migrate(instance, from)
      }
      this._hosts.wireAll(here)
      this.hasInside = this._hosts.hasInside()
      this._keep()
      for (const { instance } of loaded) await this._hosts.start(instance)
      for (const instance of open) instance.isOpen = instance.host !== null
      for (const host of [...this._hosts.all.values()]) if (host.slots.size === 0) this._hosts.close(host)
    }
    if (picture.running) {
      for (const instance of gone) this.instances.delete(instance.module)
      if (gone.length > 0) this.kept.begin()
    }
    this._tell({ flow: picture })
    this._goOn()
  }

  // ---------------------------------------------------------------- what hosts do

  _committed(host, rows, parts) {
    host.deaths = 0
    const sent = new Map() // instance -> messages for the gateway
    const consumed = new Map(rows.map(([slot, count]) => [slot, count]))
    for (const { header, body } of parts) {
      if (header.kind === KIND.DATA) this._output(host, header, body, sent)
      else if (header.kind === KIND.CONTEXT) this._changed(host.slots.get(header.slot), header, text(body), body)
      else this._failed(host.slots.get(header.slot), header, body, consumed)
    }
    for (const [slot, count, handled, failed, pulled, , unwired, busyUs, fused] of rows) {
      const instance = host.slots.get(slot)
      if (instance === undefined) continue
      const remote = instance.consume(count)
      instance.credit -= pulled
      instance.turns += pulled
      if (pulled > 0) {
        this.kept.module(instance)
        instance.confirm()
      }
      clearTimeout(instance.timer)
      this.outgoing.row(instance.module, [remote, handled, failed, sent.get(instance) ?? 0, unwired, busyUs, fused + count - remote])
      this._refill(instance)
    }
    this._schedule()
  }

  _refill(instance) {
    if (this.outgoing.isFull || instance.isHeld) return
    const wasFull = instance.isFull
    instance.fill()
    instance.pull()
    if (wasFull && !instance.isFull) this._goOn() // those that feed it
  }

  _output(host, { slot, flags, count }, body, sent) {
    const way = host.channels.get(slot)
    if (way.isRemote) {
      this.outgoing.send({ module: way.instance.module, port: way.port, flags, count, body })
      sent.set(way.instance, (sent.get(way.instance) ?? 0) + count)
    }
    for (const [module, port, wire] of way.targets) {
      const target = this.instance(module)
      const first = target.numbers.get(wire) ?? 0
      target.numbers.set(wire, first + count)
      this.kept.module(target)
      const parcel = { port, wire, body, flags, skip: 0, count, first, isRemote: false }
      this.kept.parcel(module, parcel)
      this._add(target, parcel)
    }
  }

  _changed(instance, { skip, flags }, whole, body) {
    if (instance === undefined) return
    const key = text(body, 0, skip)
    const value = flags & FLAG.DELETED ? undefined : text(body, skip)
    if (value === undefined) instance.context.delete(key)
    else instance.context.set(key, value)
    this.kept.note(['context', instance.module, key], value)
    this.outgoing.change(instance.module, key, value)
  }

  _failed(instance, { skip, count }, body) {
    if (instance === undefined) return
    const info = JSON.parse(text(body, 0, skip))
    let message = text(body, skip)
    if (count !== NO_INDEX) message = instance.messageAt(count).message
    this.outgoing.fail(instance.module, JSON.stringify({ ...info, id: info.id ?? null }), message)
  }

  _said(host, kind, { slot }, body) {
    const instance = host.slots.get(slot)
    if (kind === KIND.LOG) {
      const { level, text: said } = JSON.parse(body)
      if (level === 'unwired') this.log('warning', `a message was sent to the port ${said}, which has no wire`, instance?.module)
      else this.log(level, said, instance?.module)
    } else if (kind === KIND.TURN && instance !== undefined) {
      clearTimeout(instance.timer)
      instance.timer = setTimeout(() => this._timeUp(host, instance), instance.timeoutS * 1000)
    }
  }

  _timeUp(host, instance) {
    const why = `a turn took longer than timeout_s ${instance.timeoutS}`
    if (host.key === WINDOW) {
      this.log('error', `${why}: what runs in the window cannot be ended`, instance.module)
      return
    }
    this.log('warning', `${why}: its Worker is ended`, instance.module)
    host.link.end()
    this._died(host, why)
  }

  /** A host is no more: another one takes its modules, with what was not done. */
  _died(host, why) {
    host.kill()
    host.link = null
    for (const instance of host.slots.values()) {
      const guilty = instance.blame()
      if (guilty !== null) this._giveUp(instance, guilty, why)
      instance.takeBack(FLAG.REDELIVERED)
      instance.unload()
    }
    host.slots.clear()
    this._schedule()
    if (++host.deaths > MOST_DEATHS) this.log('error', `a Worker has ended ${MOST_DEATHS} times without having done anything: ${why}`)
    else this._change(this._picture)
  }

  _giveUp(instance, { message, port, isRemote }, why) {
    const error = { type: 'HostDied', message: `the message killed its host: ${why}` }
    this.outgoing.row(instance.module, [isRemote ? 1 : 0, 1, 1, 0, 0, 0, isRemote ? 0 : 1])
    this.outgoing.fail(instance.module, JSON.stringify({ error, port, id: null, headers: null }), message)
  }

  // ---------------------------------------------------------------- what goes out

  log(level, said, module = '') {
    this._send(frame(KIND.LOG, {}, bytesOf(JSON.stringify({ level, text: said, module }))))
  }

  _schedule() {
    if (this._isScheduled) return
    this._isScheduled = true
    platform.defer(() => {
      this._isScheduled = false
      this.flush()
    })
  }

  flush() { this.outgoing.flush(this._send, this.kept, this._isAway) }

  /** There is room again, or something to begin with. Nothing is written or sent before all of what has happened now is noted. */
  _goOn() {
    this._schedule()
    if (this.outgoing.isFull) return
    for (const instance of this.instances.values()) {
      if (instance.isOpen) this._refill(instance)
    }
  }

  /** The page goes for good. */
  close() {
    this.kept.want(false)
    for (const host of [...this._hosts.all.values()]) this._hosts.close(host)
  }
}
