import rateLimit from '@fastify/rate-limit'
import { rateLimitPlugin } from 'fastify-sluice'
import { Cluster, Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { contestants as inMemory, WINDOW_SECONDS } from '../contestants/index.js'
import { limitByHook } from '../contestants/rate-limiter-flexible.js'

/** A load comes from one address; a header tells its clients apart. */
export const CLIENT_HEADER = 'x-client'

const keyGenerator = (request) => request.headers[CLIENT_HEADER]

/** Each as its manual shows it; ours with its defaults, so with deadline, breaker, deny cache and decision. */
export const redisContestants = {
  threeHeaders: { title: inMemory.threeHeaders.title, add: inMemory.threeHeaders.add },

  fastifyRateLimit: {
    title: inMemory.fastifyRateLimit.title,
    async add (app, max, target) {
      const redis = open(target, { connectTimeout: 500, maxRetriesPerRequest: 1 })
      await app.register(rateLimit, { max, timeWindow: WINDOW_SECONDS * 1000, redis, keyGenerator })
    }
  },

  rateLimiterFlexible: {
    title: inMemory.rateLimiterFlexible.title,
    add (app, max, target) {
      limitByHook(app, new RateLimiterRedis({ storeClient: open(target, {}), points: max, duration: WINDOW_SECONDS }), keyGenerator, max)
    }
  },

  sluice: sluiceOver(1),
  sluiceOverTwo: sluiceOver(2),
  sluiceOverFour: sluiceOver(4)
}

function sluiceOver (connections) {
  return {
    title: connections === 1 ? inMemory.sluice.title : `${inMemory.sluice.title}, ${connections} connections`,
    async add (app, max, redis) {
      await app.register(rateLimitPlugin, { max, timeWindow: WINDOW_SECONDS * 1000, redis, connections, keyGenerator })
    }
  }
}

function open (target, options) {
  return typeof target === 'string' ? new Redis(target, options) : new Cluster(target.cluster, { redisOptions: options })
}
