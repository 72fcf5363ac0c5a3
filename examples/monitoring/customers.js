/** @import { FastifyRequest } from 'fastify' */

/**
 * Whose key is whose, and on which plan. An application looks keys up, as the example api-keys does.
 *
 * @type {ReadonlyMap<string, { id: string, tier: string }>}
 */
const customers = new Map([
  ['key-of-ada', { id: 'ada', tier: 'free' }],
  ['key-of-bob', { id: 'bob', tier: 'premium' }],
  ['key-of-cron', { id: 'cron', tier: 'internal' }]
])

/** @param {FastifyRequest} request */
export function customerOf ({ headers: { 'x-api-key': key } }) {
  return typeof key === 'string' ? customers.get(key) ?? null : null
}
