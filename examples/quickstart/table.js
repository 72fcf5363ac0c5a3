import { formatColumns } from '../shared/columns.js'

/** @import { Outcome, Refusal } from './burst.js' */

/** @param {Refusal | null} refusal */
function reason (refusal) {
  if (refusal === null) return ['', '']
  const names = /** @type {string[]} */ (refusal.problem['violated-policies'])
  return [names.map((name) => `limit '${name}'`).join(', '), `${refusal.headers.get('retry-after')} s`]
}

/** @param {Outcome} outcome */
function row ({ burst, statuses, allowed, refusal }) {
  const refused = statuses.get(429) ?? 0
  const passed = [...statuses.keys()].filter((status) => status !== 429).join(', ')
  return [
    `${burst.method} ${burst.path}`, burst.promise, String(burst.requests),
    allowed === 0 ? '0' : `${allowed} (${passed})`, refused === 0 ? '0' : `${refused} (429)`, ...reason(refusal)
  ]
}

/**
 * What became of the requests, a line for each burst.
 *
 * @param {readonly Outcome[]} outcomes
 */
export function formatTable (outcomes) {
  return formatColumns([['request', 'limit', 'sent', 'allowed', 'refused', 'refused by', 'retry after'], ...outcomes.map(row)])
}

/**
 * A refusal as the client got it.
 *
 * @param {Refusal} refusal
 */
export function formatRefusal ({ status, headers, problem }) {
  const shown = ['content-type', 'retry-after', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']
  return [
    `HTTP/1.1 ${status}`,
    ...shown.map((name) => `${name}: ${headers.get(name)}`),
    JSON.stringify(problem, null, 2)
  ].map((line) => line.replaceAll(/^/gm, '  ')).join('\n')
}
