// Posts each message to an address as a CloudEvent would be, signed. Tries again until it is taken, then the next.

import { createHash, createHmac } from 'node:crypto'

export const checkConfig = ({ url }) => (URL.canParse(url) ? null : { url: 'is no whole address' })

// No new try mends it, so the runner makes none.
class PermanentError extends Error {}

const LATER = [408, 425, 429] // of the statuses below 500, those that a new try may mend

export default async (message, context) => {
  const { url, secret, tries, backoff_s, timeout_s } = context.config
  const body = text(message)
  const id = identity(body, context)
  const headers = { 'content-type': 'application/json', 'idempotency-key': id, 'ce-id': id, 'ce-specversion': '1.0' }
  headers['ce-source'] = `/flows/${context.flowId}`
  headers['ce-type'] = `${context.flowId}.${context.moduleId}`
  if (secret) headers['x-signature-256'] = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`
  for (let n = 1; ; n++) {
    let answer, reason
    try {
      answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(timeout_s * 1000) })
      if (answer.ok) return
      reason = `${answer.status}: ${(await answer.text()).slice(0, 200)}`
    } catch (error) {
      reason = error.cause?.message ?? error.message
    }
    const again = !answer || LATER.includes(answer.status) || answer.status >= 500
    if (!again || n >= tries) throw new (again ? Error : PermanentError)(`POST ${url}, try ${n}: ${reason}`)
    await new Promise((resolve) => setTimeout(resolve, Math.max(asked(answer), backoff_s * 2 ** (n - 1)) * 1000))
  }
}

const text = (message) => JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? JSON.rawJSON?.(String(value)) ?? Number(value) : value))

// The same when a message comes again. A number that was given to another one, which died with its runner, is not
// enough: what it says counts, too.
const identity = (body, context) => `${context.flowId}/${context.messageId} ${createHash('sha256').update(body).digest('hex').slice(0, 8)}`

// Seconds until we may ask again, said as a number or as a date.
const asked = (answer) => {
  const said = answer?.headers.get('retry-after') ?? ''
  return Math.min(3600, Number(said) || (Date.parse(said) - Date.now()) / 1000 || 0)
}
