// join(): the page becomes a runner. It makes the Workers, which older browsers do not let Workers do; all else is in the runner's own.

const HERE = import.meta.url
const LOOK_MS = 5000 // for flows that come later
const FIRST_WAIT_MS = 200
const LONGEST_WAIT_MS = 5000

/** The browser's name and version, for people. */
function agent() {
  const { userAgent } = navigator
  const found = /(Firefox|Edg|OPR|HeadlessChrome|Chrome|Version)\/([\d.]+)/.exec(userAgent)
  const name = { Edg: 'Edge', OPR: 'Opera', Version: 'Safari' }[found?.[1]] ?? found?.[1]
  return found === null ? userAgent.slice(0, 100) : `${name} ${found[2]}`
}

/** The token that the address brought behind its #, kept for this tab: it is not sent, nor shown any longer than needed. */
function tokenOfPage() {
  const given = /(?:^#|&)token=([^&]+)/.exec(location.hash)
  if (given !== null) {
    sessionStorage.setItem('runner.token', decodeURIComponent(given[1]))
    history.replaceState(null, '', location.pathname + location.search)
  }
  return sessionStorage.getItem('runner.token') ?? ''
}

/** What tells this tab from others, also when it is loaded anew. */
function tab() {
  const known = sessionStorage.getItem('runner.tab')
  if (known !== null) return known
  const name = [...crypto.getRandomValues(new Uint32Array(4))].map((number) => number.toString(36)).join('')
  sessionStorage.setItem('runner.tab', name)
  return name
}

/** One flow that this page runs its part of. Events: `joined`, `away`, `over` (detail: why), `flow` (detail: the picture), `error`. */
class Joined extends EventTarget {
  constructor(flow, { url, token, name }) {
    super()
    this.flow = flow
    this.client = null
    this.state = 'joining'
    this._hosts = new Map() // number -> what ends it
    const place = `runner.session ${url} ${flow}`
    const session = sessionStorage.getItem(place) ?? ''
    this._worker = new Worker(new URL('runner.worker.mjs', HERE), { type: 'module', name: `runner ${flow}` })
    this._worker.onmessage = ({ data }) => {
      if (data.spawn) this._spawn(data.spawn, data.kind)
      else if (data.kill) this._kill(data.kill)
      else this._told(data.tell, place)
    }
    this._worker.onerror = (event) => this._emit('error', event.message)
    const address = new URL(`join/${flow}`, url)
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
    this._worker.postMessage({ join: { url: address.href, token, name, session, agent: agent(), page: `${tab()} ${address.href}` } })
    this._wake = () => { if (document.visibilityState === 'visible') this._worker.postMessage({ wake: true }) }
    addEventListener('online', this._wake)
    addEventListener('pageshow', this._wake)
    document.addEventListener('visibilitychange', this._wake)
  }

  _told(what, place) {
    if (what.session !== undefined) {
      sessionStorage.setItem(place, what.session)
      this.client = what.client
    } else if (what.state !== undefined) {
      this.state = what.state
      this._emit(what.state, what.why)
    } else if (what.flow !== undefined) {
      this.picture = what.flow
      this._emit('flow', what.flow)
    } else if (what.error !== undefined) this._emit('error', what.error)
  }

  _emit(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })) }

  /** Its program may not come, as the gateway or the network is away: it is asked for until it does. */
  async _spawn(number, kind) {
    const { port1, port2 } = new MessageChannel()
    for (let wait = FIRST_WAIT_MS; this.state !== 'over'; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
      try {
        if (kind === 'window') (await import('./hosting.mjs')).begin(port1, () => {})
        else this._hosts.set(number, await this._begin(port1))
        this._worker.postMessage({ spawned: number, port: port2 }, [port2])
        return
      } catch (error) {
        this._emit('error', `modules could not be begun, it is tried again: ${error.message}`)
        await new Promise((resolve) => setTimeout(resolve, wait))
      }
    }
  }

  /** A promise of what ends the Worker, when its program is there. */
  _begin(port) {
    const worker = new Worker(new URL('host.worker.mjs', HERE), { type: 'module', name: `modules ${this.flow}` })
    return new Promise((resolve, reject) => {
      worker.onmessage = () => {
        worker.onmessage = worker.onerror = null
        worker.postMessage({ port }, [port])
        resolve(() => worker.terminate())
      }
      worker.onerror = ({ message }) => {
        worker.terminate()
        reject(new Error(message ?? 'its program has not come'))
      }
    })
  }

  _kill(number) {
    this._hosts.get(number)?.()
    this._hosts.delete(number)
  }

  /** Leaves the flow for good: its session ends. */
  close() {
    removeEventListener('online', this._wake)
    removeEventListener('pageshow', this._wake)
    document.removeEventListener('visibilitychange', this._wake)
    this._worker.postMessage({ close: 'for good' })
    setTimeout(() => {
      this._worker.terminate()
      for (const end of this._hosts.values()) end()
    }, 500)
    this.state = 'over'
  }
}

async function listed(url, token) {
  const answer = await fetch(new URL('join', url), { headers: { Authorization: `Bearer ${token}` } })
  if (!answer.ok) throw new Error(`the gateway refuses: ${(await answer.text()).trim()}`)
  return answer.json()
}

/**
 * Joins `flow`, or the only one that has browser modules.
 *
 * url    the gateway's address, the page's own if left out
 * token  what `runner open` gave; left out: from the page's address, behind #token=
 * name   of this client, for `to_client`; left out: one is made
 */
export async function join({ url = location.origin, token = tokenOfPage(), name = '', flow } = {}) {
  const base = new URL(url.endsWith('/') ? url : `${url}/`, location.href)
  for (;;) {
    const flows = await listed(base, token)
    if (flow === undefined && flows.length > 1) throw new Error(`there are several flows to join: ${flows.join(', ')}; say which by \`flow\``)
    const found = flow === undefined ? flows[0] : flows.find((id) => id === flow)
    if (found !== undefined) return new Joined(found, { url: base, token, name })
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
}
