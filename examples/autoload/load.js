/**
 * One row of the table: what is asked, and how often it is to be answered.
 *
 * @typedef {object} Row
 * @property {string} path
 * @property {string} promise The limit in words.
 * @property {number} sent
 * @property {number} allowed
 * @property {number} [status] Of what is allowed. Default 200.
 */

/** @type {readonly Row[]} */
export const rows = [
  { path: '/', promise: 'plugins/rate-limit.js: 10', sent: 4, allowed: 4 },
  { path: '/search', promise: 'config.rateLimit: 4', sent: 6, allowed: 4 },
  { path: '/partners/orders', promise: "the folder's own: 6", sent: 4, allowed: 4 },
  { path: '/partners/invoices', promise: 'that budget', sent: 4, allowed: 2 },
  { path: '/no/such/page', promise: 'plugins/not-found.js: 3', sent: 4, allowed: 3, status: 404 },
  { path: '/about', promise: 'what / and unknown pages left of 10', sent: 4, allowed: 2 }
]

/** @param {string} origin @param {Row} row */
export async function send (origin, { path, sent, allowed, status = 200 }) {
  const seen = { allowed: 0, refused: 0 }
  /** @type {string[]} */
  const broken = []
  for (let i = 0; i < sent; i++) {
    const response = await fetch(origin + path)
    await response.arrayBuffer() // a body left unread would keep its connection busy
    if (response.status === status) seen.allowed++
    else if (response.status === 429) seen.refused++
    else broken.push(`GET ${path}: status ${response.status}`)
  }
  if (seen.allowed !== allowed) broken.push(`GET ${path}: ${seen.allowed} allowed, promised ${allowed}`)
  return { ...seen, broken }
}
