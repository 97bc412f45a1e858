// A request for each message; what is answered goes on. Tries again what may be better later: no answer, 429, 5xx and the like.

import { createHash } from 'node:crypto'

export const checkConfig = ({ url }) => (URL.canParse(url.replace(/\{[\w.]+\}/g, 'x')) ? null : { url: 'is no whole address' })

// No new try mends it, so the runner makes none.
class PermanentError extends Error {}

const LATER = [408, 425, 429] // of the statuses below 500, those that a new try may mend
let free = 0 // when the next request may go, of `per_s`

export default async (message, context) => {
  const { url, method, headers, tries, backoff_s, per_s, timeout_s } = context.config
  const target = filled(url, message)
  if (!URL.canParse(target)) throw new PermanentError(`${target} is no whole address`)
  const body = method === 'GET' || method === 'DELETE' ? undefined : text(message)
  const id = identity(text(message), context)
  for (let n = 1; ; n++) {
    if (per_s) await turn(per_s)
    let answer, reason
    try {
      answer = await fetch(target, {
        method, body, signal: AbortSignal.timeout(timeout_s * 1000),
        headers: { 'content-type': 'application/json', 'idempotency-key': id, ...headers },
      })
      if (answer.ok) return { status: answer.status, body: await content(answer), request: message }
      reason = `${answer.status}: ${(await answer.text()).slice(0, 200)}`
    } catch (error) {
      reason = error.cause?.message ?? error.message
    }
    const again = !answer || LATER.includes(answer.status) || answer.status >= 500
    if (!again || n >= tries) throw new (again || answer.ok ? Error : PermanentError)(`${method} ${target}, try ${n}: ${reason}`)
    await sleep(Math.max(asked(answer), backoff_s * 2 ** (n - 1)))
  }
}

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))
const text = (message) => JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? JSON.rawJSON?.(String(value)) ?? Number(value) : value))
const content = async (answer) => {
  const said = await answer.text()
  return said && /[/+]json\b/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(said) : said
}

// {a.b} in the address is that field of the message.
const filled = (url, message) =>
  url.replace(/\{([\w.]+)\}/g, (_, path) => encodeURIComponent(path.split('.').reduce((value, name) => value?.[name], message) ?? ''))

const turn = async (perSecond) => {
  const now = Date.now()
  free = Math.max(free, now) + 1000 / perSecond
  await sleep((free - 1000 / perSecond - now) / 1000)
}

// The same when a message comes again. A number that was given to another one, which died with its runner, is not
// enough: what it says counts, too.
const identity = (body, context) => `${context.flowId}/${context.messageId} ${createHash('sha256').update(body).digest('hex').slice(0, 8)}`

// Seconds until we may ask again, said as a number or as a date.
const asked = (answer) => {
  const said = answer?.headers.get('retry-after') ?? ''
  return Math.min(3600, Number(said) || (Date.parse(said) - Date.now()) / 1000 || 0)
}
