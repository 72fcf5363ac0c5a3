import type { FastifyPluginCallback } from 'fastify'
import { systemClock } from '../common/clock.js'
import { rateLimitPlugin } from '../index.js'
import { buildFastifyRateLimit } from './build.js'
import type { RateLimitPluginOptions } from './options.js'

export type FastifyRateLimit = FastifyPluginCallback<RateLimitPluginOptions>

/**
 * Limits the rate of requests by the options of @fastify/rate-limit, on the plugin and in `config.rateLimit` of routes.
 *
 * Throws FST_SLUICE_BAD_OPTION, FST_SLUICE_UNKNOWN_OPTION and FST_SLUICE_CONTRADICTION for invalid options, also from the
 * declaration of a route.
 */
export const fastifyRateLimit: FastifyRateLimit = buildFastifyRateLimit(rateLimitPlugin, systemClock)
