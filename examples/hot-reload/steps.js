/**
 * One row of the table: how the file is changed, what is sent then, and what is to become of it.
 *
 * @typedef {object} Step
 * @property {string} change
 * @property {((text: string) => string) | null} edit `null`: the file as it is.
 * @property {'taken' | 'refused'} reload
 * @property {string} path
 * @property {number} sent
 * @property {number} allowed
 * @property {number} left Units, after it.
 */

/** @param {string | number} value @returns {(text: string) => string} */
const max = (value) => (text) => text.replace(/^max = .*$/m, `max = ${value}`)

const SEARCH = `
[[rules]]
name = "search"
match = "/search"
max = 3
timeWindow = "1 day"
`

/** @type {readonly Step[]} */
export const steps = [
  { change: 'none: max = 50', edit: null, reload: 'taken', path: '/', sent: 30, allowed: 30, left: 20 },
  { change: 'max = 100', edit: max(100), reload: 'taken', path: '/', sent: 30, allowed: 30, left: 40 },
  { change: 'max = "plenty"', edit: max('"plenty"'), reload: 'refused', path: '/', sent: 10, allowed: 10, left: 30 },
  { change: 'max = 40', edit: max(40), reload: 'taken', path: '/', sent: 5, allowed: 0, left: 0 },
  { change: 'a rule: /search, 3', edit: (text) => text + SEARCH, reload: 'taken', path: '/search', sent: 5, allowed: 3, left: 0 }
]

/** @param {string} url @param {string} client */
async function ask (url, client) {
  const response = await fetch(url, { headers: { 'x-client': client } })
  await response.arrayBuffer() // a body left unread would keep its connection busy
  const number = (/** @type {string} */ name) => Number(response.headers.get(`x-ratelimit-${name}`))
  return { status: response.status, limit: number('limit'), left: number('remaining') }
}

/**
 * Sends a step's requests, one after the other.
 *
 * @param {string} origin
 * @param {Step} step
 */
export async function send (origin, { change, path, sent, ...promised }) {
  const seen = { allowed: 0, refused: 0, left: NaN }
  /** @type {string[]} */
  const broken = []
  for (let i = 0; i < sent; i++) {
    const { status, left } = await ask(origin + path, 'ada')
    if (status === 200) seen.allowed++
    else if (status === 429) seen.refused++
    else broken.push(`${change}: status ${status}`)
    seen.left = left
  }
  if (seen.allowed !== promised.allowed) broken.push(`${change}: ${seen.allowed} allowed, promised ${promised.allowed}`)
  if (seen.left !== promised.left) broken.push(`${change}: ${seen.left} left, promised ${promised.left}`)
  return { ...seen, broken }
}

/** Another client, who asks all the time. @param {string} origin */
export function keepAsking (origin) {
  const seen = { requests: 0, errors: 0, limits: /** @type {number[]} */ ([]) }
  const over = new AbortController()
  const asking = (async () => {
    while (!over.signal.aborted) {
      const { status, limit } = await ask(origin, 'bob')
      seen.requests++
      if (status !== 200 && status !== 429) seen.errors++
      if (limit !== seen.limits.at(-1)) seen.limits.push(limit)
    }
  })()
  return {
    async stop () {
      over.abort()
      await asking
      return seen
    }
  }
}
