/**
 * One row of the table: what is asked, and what is to become of it.
 *
 * @typedef {object} Query
 * @property {string} query
 * @property {Record<string, unknown>} [variables]
 * @property {boolean} [isGet] Default false.
 * @property {number} status
 * @property {number} cost Of a refused one: 0.
 * @property {number} calls Of resolvers.
 */

/** In the order of the table: 500 units in all. @type {readonly Query[]} */
export const queries = [
  { query: '{ hello }', status: 200, cost: 1, calls: 1 },
  { query: '{ book(title: "Dune") { title author { name } } }', status: 200, cost: 2, calls: 2 },
  { query: '{ authors(first: 5) { books(first: 3) { title } } }', status: 200, cost: 20, calls: 6 },
  { query: 'query ($n: Int) { authors(first: $n) { name } }', variables: { n: 50 }, status: 200, cost: 50, calls: 1 },
  { query: 'query ($n: Int = 30) { authors(first: $n) { name } }', isGet: true, status: 200, cost: 30, calls: 1 },
  { query: '{ authors { ...A } } fragment A on Author { books { title } }', status: 200, cost: 110, calls: 11 },
  { query: '{ authors(first: 100) { books(first: 100) { title } } }', status: 429, cost: 0, calls: 0 },
  { query: '{ authors(first: 20) { books(first: 19) { title } } }', status: 429, cost: 0, calls: 0 },
  { query: '{ authors(first: 9) { books(first: 30) { title } } }', status: 200, cost: 279, calls: 10 },
  { query: '{ nothing }', status: 400, cost: 1, calls: 0 }
]

/**
 * @typedef {object} Outcome
 * @property {Query} asked
 * @property {number} status
 * @property {number} left
 * @property {number} calls
 * @property {Record<string, unknown> | null} problem Of a refused one.
 * @property {string[]} broken What was seen that is not promised.
 */

/**
 * Asks one query.
 *
 * @param {string} origin
 * @param {Query} asked
 * @param {{ readonly count: number }} resolved
 * @param {number} before Units that were left.
 * @returns {Promise<Outcome>}
 */
export async function ask (origin, asked, resolved, before) {
  const { query, variables, isGet = false } = asked
  const callsBefore = resolved.count
  const response = isGet
    ? await fetch(`${origin}/graphql?${new URLSearchParams({ query })}`)
    : await fetch(`${origin}/graphql`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables }) })
  const body = /** @type {Record<string, unknown>} */ (await response.json())
  const outcome = {
    asked,
    status: response.status,
    left: Number(response.headers.get('x-ratelimit-remaining')),
    calls: resolved.count - callsBefore,
    problem: response.headers.get('content-type')?.startsWith('application/problem+json') ? body : null
  }
  /** @type {Array<[isKept: boolean, text: string]>} */
  const promises = [
    [outcome.status === asked.status, `status ${outcome.status}, promised ${asked.status}`],
    [before - outcome.left === asked.cost, `${before - outcome.left} units, promised ${asked.cost}`],
    [outcome.calls === asked.calls, `${outcome.calls} calls of resolvers, promised ${asked.calls}`],
    [(outcome.problem !== null) === (asked.status === 429), 'a refusal that is no problem+json']
  ]
  return { ...outcome, broken: promises.filter(([isKept]) => !isKept).map(([, text]) => `${query}: ${text}`) }
}
