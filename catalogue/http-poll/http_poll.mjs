// What an address answers, asked every so many seconds; with `changes`, only if it is another answer than before.

export const checkConfig = ({ url }) => (URL.canParse(url) ? null : { url: 'is no whole address' })

export async function* start(context) {
  const { url, every_s, headers, changes, times, timeout_s } = context.config
  for (let n = 0; times === undefined || n < times; n++) {
    const due = context.get('due', 0)
    const wait = Math.min(due * 1000 - Date.now(), every_s * 1000) // no more: the clock may be set back
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait))
    context.set('due', Math.max(due, Date.now() / 1000 - every_s) + every_s)
    const known = changes ? context.get('etag') : undefined
    const asked = { ...headers, ...(known && { 'if-none-match': known }) }
    const answer = await fetch(url, { headers: asked, signal: AbortSignal.timeout(timeout_s * 1000) }).catch((error) => {
      throw new Error(`${url}: ${error.cause?.message ?? error.message}`)
    })
    if (answer.status === 304) continue
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}: ${(await answer.text()).slice(0, 200)}`)
    const text = await answer.text()
    if (changes && text === context.get('last')) continue
    if (changes) {
      context.set('last', text)
      const etag = answer.headers.get('etag')
      if (etag) context.set('etag', etag)
    }
    yield text && isJson(answer) ? JSON.parse(text) : text
  }
}

const isJson = (answer) => /[/+]json\b/.test(answer.headers.get('content-type') ?? '')
