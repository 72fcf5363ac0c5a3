import Fastify from 'fastify'
import rateLimitPlugin from 'fastify-sluice'
import { hashOf, isSealed } from './keys.js'
import { LookUpCache } from './look-up-cache.js'

/** @import { CustomerTable } from './database.js' */

/**
 * A public API: little for everybody, more for customers, by their plans.
 *
 * @param {CustomerTable} table
 */
export async function buildServer (table) {
  const app = Fastify()
  const customers = new LookUpCache((keyHash) => table.customerByKeyHash(keyHash), { maxEntries: 10_000, ttlMs: 60_000 })

  await app.register(rateLimitPlugin, {
    // Who has no plan with limits of its own: by address, without a key.
    max: 5,
    timeWindow: '1 minute',
    tiers: {
      free: { max: 10, timeWindow: '1 minute' },
      pro: { max: 40, timeWindow: '1 minute' },
      internal: false
    },
    identify: {
      defaultTier: 'free',
      custom: async (request) => {
        const key = request.headers['x-api-key']
        if (typeof key !== 'string' || !isSealed(key)) return null
        const customer = await customers.get(hashOf(key))
        // The customer's id and never the key: ids are in keys of Redis, and all keys of a customer share his budget.
        return customer === null ? null : { id: customer.id, tier: customer.plan }
      }
    }
  })

  app.get('/quotes', async (request) => ({ price: 42, plan: request.rateLimit?.client.tier }))

  return app
}
