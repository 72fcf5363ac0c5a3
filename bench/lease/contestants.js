import { rateLimitPlugin } from 'fastify-sluice'
import { CLIENT_HEADER, redisContestants } from '../redis/contestants.js'

const keyGenerator = (request) => request.headers[CLIENT_HEADER]

/** No key shares the budget of its network. */
const memory = { maxKeys: 200_000 }

/** What the others are compared with. */
export const REFERENCE = 'memory'

/** A contestant adds `limit` to an application, with the Redis at `redis`. */
export const leaseContestants = {
  memory: { title: 'memory store', add: addOurs(() => ({ memory })) },
  leased: { title: 'leases', add: addOurs((redis) => ({ redis, leases: true })) },
  exact: { title: 'exact checks (no leases)', add: addOurs((redis) => ({ redis, leases: false })) },
  fastifyRateLimit: addRival('fastifyRateLimit'),
  rateLimiterFlexible: addRival('rateLimiterFlexible')
}

function addOurs (storeOf) {
  return async (app, limit, redis) => { await app.register(rateLimitPlugin, { ...limit, ...storeOf(redis), keyGenerator }) }
}

function addRival (name) {
  const { title, add } = redisContestants[name]
  return { title, add: (app, { max }, redis) => add(app, max, redis) }
}
