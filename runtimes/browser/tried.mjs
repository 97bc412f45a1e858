// A version is tried before it is anybody's: what cannot be loaded is refused by the server then.

import { KIND } from '../javascript/core/link.mjs'
import { HostLink } from './host_link.mjs'

const TRY_MS = 4000

/**
 * Loads a version in a Worker of its own, which is thrown away; a promise of the RESULT. Of what is for the window that shows whether it
 * is JavaScript. What has packages may take long over this page's network: that says nothing of the version.
 */
export async function tried(spawn, load, isForWindow) {
  const { port, kill } = await spawn('worker')
  const link = new HostLink(port, { committed() {}, said() {}, ended() {} })
  const slow = { ok: false, error: { type: 'Timeout', message: `loading it took longer than ${TRY_MS / 1000} s` } }
  const late = new Promise((resolve) => setTimeout(resolve, TRY_MS, JSON.parse(load).unit === undefined ? slow : { ok: true, hooks: [] }))
  const result = await Promise.race([link.ask(KIND.LOAD, 1, load), late])
  link.end()
  kill()
  const isCode = isForWindow && !['SyntaxError', 'LoadError'].includes(result?.error?.type)
  return result === null || isCode ? { ok: true, hooks: [] } : result
}
